"""What is not meant to be asked: every answer is the client's fault, and no file is looked at."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from speechkd.synthesis.find import SHIPPED, shipped_voices
from tests.serve.running import Running, error, raw_post, status

PAYLOADS: list[tuple[str, str]] = json.loads(Path(__file__).with_name("payloads.json").read_text(encoding="utf-8"))
GOOD = {
    "/v1/audio/speech": {"model": "tts-1", "voice": "kathleen", "input": "No.", "response_format": "wav"},
    "/synthesize": {"text": "No.", "voice": "kathleen", "format": "wav"},
}
POST = b"POST /synthesize HTTP/1.1\r\nhost: localhost\r\n"
_WATCHED = {"open", "os.listdir", "os.scandir", "os.rename", "os.remove", "subprocess.Popen", "os.system", "os.exec"}


class _Spy:
    """Notes what the process does with files while it is asked to. A hook stays for good: Python cannot remove one."""

    def __init__(self) -> None:
        self.seen: list[str] | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seen is not None and event in _WATCHED and arguments and not isinstance(arguments[0], int):
            self.seen.append(os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes)) else event)


SPY = _Spy()


@contextmanager
def files_seen() -> Iterator[list[str]]:
    """The files and folders that any thread of this process opens in the block, but for those of the voices."""
    SPY.seen = []
    try:
        yield SPY.seen
    finally:
        SPY.seen = [path for path in SPY.seen if SHIPPED not in Path(path).parents]
        seen, SPY.seen = SPY.seen, None
        if seen:
            pytest.fail(f"opened: {seen[:5]}")


def request(where: str, value: str) -> bytes:
    """The bytes that bring a payload to where it is meant to go."""
    if where.startswith("/"):
        path, name = where.split()
        return raw_post(path, GOOD[path] | {name: value})
    if where in ("path", "query"):
        target = value if where == "path" else f"/health?{value}"
        return f"GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
    return raw_post("/synthesize", GOOD["/synthesize"], **{where: value})


def test_there_are_two_hundred_ways() -> None:
    assert len({tuple(each) for each in PAYLOADS}) == 200


def test_the_spy_sees(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="secret"), files_seen():
        (tmp_path / "secret").write_bytes(b"")


def test_no_payload_opens_a_file(server: Running) -> None:
    (voice,) = shipped_voices()
    more = [("/synthesize voice", str(voice.folder)), ("/v1/audio/speech voice", os.path.relpath(voice.folder))]
    for path in GOOD:  # once, FastAPI looks up in our source which route refuses; and sockets load what they need
        assert status(server.raw(closing(raw_post(path, {})))) == 422
    with files_seen():
        answers = {(where, value): server.raw(closing(request(where, value))) for where, value in [*PAYLOADS, *more]}
    wrong = {payload: answer[:200] for payload, answer in answers.items() if not 400 <= status(answer) < 500}
    assert not wrong
    for answer in answers.values():
        head, _, body = answer.partition(b"\r\n\r\n")
        assert json.loads(body)["error"].keys() == {"message", "type", "param", "code"}
        assert b"\r\nserver:" not in head.lower() and b"root:" not in body


def closing(data: bytes) -> bytes:
    """The same request, behind which the server hangs up."""
    head, _, body = data.partition(b"\r\n\r\n")
    return head + b"\r\nconnection: close\r\n\r\n" + body


def test_paths_in_a_text_are_words(server: Running) -> None:
    with files_seen():
        for text in ("../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "kathleen\x00.wav"):
            assert server.say(text).status_code in (200, 422)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"text":' * 50_000,
        b'{"text": NaN}', b'{"text": 7}', b'{"text": "\\ud800"}', b'{"text": "a", "speed": 1e999}',
        b'{"text": "a", "seed": 1' + b"0" * 9_000 + b"}", b'{"text": "a", "speed": "fast"}',
        b'{"text": "a", "speed": true}', b'{"text": "a", "stream": 1}', b'{"text": "a", "__proto__": {}}',
        b'{"text": "a", "ssml": "<speak/>"}',
        b'{"ssml": "<!DOCTYPE a [<!ENTITY x SYSTEM \'file:///etc/passwd\'>]><speak>&x;</speak>"}',
    ],
)  # fmt: skip
def test_bodies_that_are_none(server: Running, body: bytes) -> None:
    with files_seen():
        answer = server.client.post("/synthesize", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert error(answer)["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HELLO\r\n\r\n",
        b"GET / HTTP/9.9\r\nconnection: close\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * 30_000,
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n",
        POST + b"content-length: -1\r\n\r\n",
        POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        POST + b"transfer-encoding: chunked, chunked\r\n\r\n",
        POST + b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http(server: Running, data: bytes) -> None:
    answer = server.raw(data)
    assert status(answer) in (400, 421, 431), answer[:200]
    document, _ = json.JSONDecoder().raw_decode(answer.partition(b"\r\n\r\n")[2].decode())
    assert document["error"]["type"] == "invalid_request_error"
    assert server.client.get("/health").status_code == 200


def test_methods(server: Running) -> None:
    for path in ("/", "/health", "/synthesize", "/v1/audio/speech", "/v1/voices", "/metrics"):
        for method in ("PUT", "DELETE", "PATCH", "TRACE", "CONNECTED"):
            answer = server.client.request(method, path)
            assert answer.status_code == 405 and error(answer)["code"] == "wrong_method"
    assert server.client.get("/synthesize").status_code == 405
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-key": "a", "sec-websocket-version": "13"}
    assert server.client.get("/synthesize", headers=upgrade).status_code == 405
