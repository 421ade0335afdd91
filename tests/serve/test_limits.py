"""At a limit all is well, one step over there is an error that says so; nobody can hold the server up."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from speechkd.serve.limits import Limits, limits_table
from speechkd.serve.options import Options
from speechkd.serve.page_files import POLICY, Page
from tests.serve.running import (
    Clock,
    ClockTable,
    Running,
    error,
    folder_of_page,
    raw_post,
    read_all,
    serving,
    status,
    wait_until,
)


@contextmanager
def ticking(seconds: float = 1.0, page: Page | None = None, **limits: Any) -> Iterator[tuple[Running, Clock]]:
    """A server with a clock for a voice."""
    clock = Clock(seconds)
    with serving(ClockTable(clock), Options(limits=Limits(**limits)), page) as running:
        try:
            yield running, clock
        finally:
            clock.go.set()


def test_length_of_body_and_text() -> None:
    with ticking() as (server, _):
        assert server.say("a" * 20_000).status_code == 200
        answer = server.say("a" * 20_001)
        assert answer.status_code == 422 and error(answer)["code"] == "text_too_long"
        answer = server.client.post(
            "/v1/audio/speech", json={"model": "tts-1", "voice": "clock", "input": "a" * 20_001}
        )
        assert answer.status_code == 422 and error(answer)["param"] == "input"
        body = json.dumps({"text": "It works."})
        json_type = {"content-type": "application/json"}
        assert server.client.post("/synthesize", content=body.ljust(1_000_000), headers=json_type).status_code == 200
        answer = server.client.post("/synthesize", content=body.ljust(1_000_001), headers=json_type)
        assert answer.status_code == 413 and error(answer)["code"] == "body_too_long"
        chunks = iter([b" " * 500_000] * 2 + [body.encode()])
        assert server.client.post("/synthesize", content=chunks, headers=json_type).status_code == 413


def test_length_of_speech() -> None:
    with ticking(seconds=100.0) as (server, clock):
        assert server.say("One. " * 6, format="pcm").status_code == 200
        answer = server.say("One. " * 9, format="pcm")
        assert answer.status_code == 422 and error(answer)["code"] == "too_long"
        assert len(clock.said) == 6 + 7  # nothing is spoken behind the limit
        with pytest.raises(httpx.RemoteProtocolError):
            server.say("One. " * 7, format="pcm", stream=True)


def test_length_of_the_queue() -> None:
    with ticking(full_answer_s=0.05) as (server, clock), ThreadPoolExecutor(20) as crowd:
        clock.go.clear()
        waiting: list[Future[httpx.Response]] = [crowd.submit(server.say) for _ in range(2 + 16)]
        wait_until(lambda: server.figure("speechkd_queue_length") == 16)
        assert server.figure("speechkd_speaking") == 2
        answer = server.say()
        assert answer.status_code == 503 and error(answer)["code"] == "queue_full"
        assert answer.headers["retry-after"] == "1" and answer.elapsed.total_seconds() >= 0.025
        assert server.client.get("/health").elapsed.total_seconds() < 0.1
        assert server.figure("speechkd_rejected_total") == 1
        clock.go.set()
        assert {each.result().status_code for each in waiting} == {200}
        assert server.say().status_code == 200


def test_time_for_a_request() -> None:
    with ticking(request_s=0.3, threads=1) as (server, clock):
        clock.go.clear()
        answer = server.say("One. Two.")
        assert answer.status_code == 504 and error(answer)["type"] == "timeout_error"
        clock.go.set()
        wait_until(lambda: server.figure("speechkd_speaking") == 0)
        assert clock.said == ["One."]  # the rest was not worth speaking
        assert server.say("Three.").status_code == 200


def test_a_stream_whose_time_is_up_is_cut() -> None:
    with ticking(request_s=0.5, threads=1) as (server, clock):
        clock.ready = {"One."}
        clock.go.clear()
        body = {"text": "One. Two.", "stream": True, "format": "pcm"}
        with server.client.stream("POST", "/synthesize", json=body) as answer:
            pieces = answer.iter_bytes()
            next(pieces)
            with pytest.raises(httpx.RemoteProtocolError):
                list(pieces)
        clock.go.set()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_drips_is_cut(chunked: bool) -> None:
    kind = b"transfer-encoding: chunked" if chunked else b"content-length: 100"
    head = b"POST /synthesize HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n" + kind + b"\r\n\r\n"
    drop = b"1\r\n \r\n" if chunked else b" "
    with ticking(slow_s=0.4) as (server, clock):
        answer, took_s = drip(server, head, drop)
        assert status(answer) == 408 and b"body_too_slow" in answer and took_s < 1.5
        assert not clock.said


def test_a_head_that_drips_is_cut_and_so_is_silence() -> None:
    with ticking(slow_s=0.4) as (server, _):
        for head, drop in ((b"GET /health HTTP/1.1\r\nx-slow: ", b"a"), (b"", b"")):
            answer, took_s = drip(server, head, drop)
            assert not answer and took_s < 1.5


def drip(server: Running, head: bytes, drop: bytes) -> tuple[bytes, float]:
    """What comes back while a client sends a drop now and then, and after how many seconds that was all."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(head)
        answers: list[bytes] = []
        reader = threading.Thread(target=lambda: answers.append(read_all(connection)))
        reader.start()
        while reader.is_alive():
            try:
                connection.sendall(drop)
            except OSError:
                break
            reader.join(0.05)
        reader.join(5)
    return answers[0], time.monotonic() - begin


def test_a_client_that_does_not_read_is_cut() -> None:
    """It asks for 20 MB and takes nothing: its place is free again soon."""
    with ticking(seconds=500.0, slow_s=0.4) as (server, _):
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connection.connect(("127.0.0.1", server.port))
            for stream in (False, True):
                connection.sendall(raw_post("/synthesize", {"text": "One.", "stream": stream}))
            wait_until(lambda: server.figure("speechkd_audio_seconds_total") > 0)
            wait_until(lambda: server.figure("speechkd_in_flight") == 1)  # that of the figures themselves
        assert server.client.get("/health").status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_who_goes_away_frees_the_thread(stream: bool) -> None:
    with ticking(threads=1) as (server, clock):
        body = raw_post("/synthesize", {"text": "One. Two. Three.", "stream": stream, "format": "pcm"})
        clock.go.clear()
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(body)
            assert clock.asked.acquire(timeout=5)
        wait_until(lambda: server.figure("speechkd_in_flight") == 1, within_s=1.0)  # that of the figures themselves
        clock.go.set()
        wait_until(lambda: server.figure("speechkd_speaking") == 0, within_s=1.0)
        assert clock.said == ["One."]


def test_who_goes_away_while_waiting_leaves_nothing() -> None:
    with ticking(threads=1, queue=1, full_answer_s=0.0) as (server, clock):
        clock.go.clear()
        body = raw_post("/synthesize", {"text": "Wait."})
        with socket.create_connection(("127.0.0.1", server.port)) as first:
            first.sendall(body)
            assert clock.asked.acquire(timeout=5)
            with socket.create_connection(("127.0.0.1", server.port)) as second:
                second.sendall(body)
                wait_until(lambda: server.figure("speechkd_queue_length") == 1)
                assert server.say().status_code == 503
            wait_until(lambda: server.figure("speechkd_queue_length") == 0, within_s=1.0)
            clock.go.set()
            assert status(first.recv(1_000)) == 200
        assert clock.said == ["Wait."]


def test_a_hundred_who_go_away_leave_no_thread_and_no_place() -> None:
    with ticking(threads=2, queue=2, full_answer_s=0.0) as (server, _):
        assert server.say().status_code == 200
        threads = threading.active_count()
        body = raw_post("/synthesize", {"text": "One. Two. Three.", "stream": True, "format": "pcm"})
        for _ in range(100):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(body)
        wait_until(lambda: server.figure("speechkd_in_flight") == 1 and server.figure("speechkd_speaking") == 0)
        assert threading.active_count() <= threads + 1
        assert {server.say().status_code for _ in range(4)} == {200}


def test_one_connection_too_many() -> None:
    with ticking(connections=3) as (server, _):
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as one_more:
            answer = read_all(one_more)
            assert status(answer) == 503 and b'"too_many_connections"' in answer
        for connection in held:
            connection.close()
        wait_until(lambda: server.client.get("/health").status_code == 200)


def test_who_may_ask() -> None:
    with ticking() as (server, clock):
        for host in ("localhost", "127.0.0.1:1", "[::1]:8000", f"LOCALHOST:{server.port}"):
            assert server.client.get("/health", headers={"host": host}).status_code == 200
        for host in ("evil.example", "127.0.0.1.evil.example", "8.8.8.8", "", "localhost@evil", "localhost:1:2"):
            answer = server.client.get("/health", headers={"host": host})
            assert answer.status_code == 421 and error(answer)["code"] == "unknown_host"
        own = {"origin": server.url}
        assert server.client.post("/synthesize", json={"text": "One."}, headers=own).status_code == 200
        for origin in ("http://evil.example", "null", "http://localhost:1"):
            answer = server.client.post("/synthesize", json={"text": "Two."}, headers={"origin": origin})
            assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
        form = {"content-type": "text/plain"}  # what a form on any page may send
        assert server.client.post("/synthesize", content=b'{"text": "Two."}', headers=form).status_code == 415
        assert server.client.options("/synthesize").status_code == 405
        assert clock.said == ["One."]


def test_other_hosts_are_named_at_the_start() -> None:
    options = Options(host="127.0.0.1", hosts=("speech.example",))
    assert options.is_local and "speech.example" in options.known_hosts
    for host, local in (("0.0.0.0", False), ("192.168.0.7", False), ("::1", True), ("localhost", True), ("::", False)):
        assert Options(host=host).is_local is local
    with serving(ClockTable(Clock()), options) as server:
        assert server.client.get("/health", headers={"host": "speech.example"}).status_code == 200


def test_answers_do_not_say_what_made_them(tmp_path: Path) -> None:
    with ticking(page=folder_of_page(tmp_path)) as (server, _):
        for path in ("/", "/page.css", "/page.js", "/health", "/nowhere"):
            answer = server.client.get(path)
            assert "server" not in answer.headers and answer.headers["x-content-type-options"] == "nosniff"
        assert server.client.get("/").headers["content-security-policy"] == POLICY
        assert server.client.get("/page.js").text == "/* page.js */"
        assert server.client.get("/page.js").headers["content-type"].startswith("text/javascript")
        for path in ("/docs", "/redoc", "/page/%2e%2e/page.js", "/page.html"):
            assert server.client.get(path).status_code == 404
        assert server.client.get("/openapi.json").json()["info"]["title"] == "speechkd"
    with ticking(page=Page(tmp_path / "none")) as (server, _):
        assert error(server.client.get("/"))["code"] == "not_found"


def test_a_voice_that_breaks_says_nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from speechkd.errors import ArtifactError

    def fail(error: Exception) -> Callable[..., Any]:
        def say(*_: Any, **__: Any) -> Any:
            raise error

        return say

    with ticking() as (server, clock):
        for raised in (
            ArtifactError("the graph is damaged", where="/home/somebody"),
            ZeroDivisionError("/home/somebody"),
        ):
            monkeypatch.setattr(clock, "say", fail(raised))
            answer = server.say()
            assert answer.status_code == 500 and "somebody" not in answer.text
            assert error(answer)["type"] == "server_error"


def test_the_table_names_every_limit() -> None:
    rows = limits_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(Limits.model_fields)
    assert "| `text_chars` | 20,000 |" in limits_table() and "| `queue` | 3 |" in limits_table(Limits(queue=3))
