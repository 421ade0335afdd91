"""Downloads against a local server that misbehaves in every way a real one does."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from speechkd.data.download import Archive, download, locate_corpus
from speechkd.errors import DataError, ResourceError, UsageError

BODY = random.Random(5).randbytes(70_000)
SHA = hashlib.sha256(BODY).hexdigest()

Reply = Callable[[BaseHTTPRequestHandler, int | None], None]


class Server:
    """Answers request k with the k-th of `replies`, the last one again and again; remembers the ranges asked for."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.ranges: list[int | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else None
                outer.ranges.append(start)
                reply = outer.replies[min(len(outer.ranges), len(outer.replies)) - 1]
                reply(self, start)
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/corpus.tar.bz2"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def good(handler: BaseHTTPRequestHandler, start: int | None) -> None:
    if start is None:
        send(handler, 200, BODY)
    elif start >= len(BODY):
        send(handler, 416, b"", Content_Range=f"bytes */{len(BODY)}")
    else:
        send(handler, 206, BODY[start:], Content_Range=f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")


def cut_after(count: int) -> Reply:
    """Promises all that is left and closes after `count` bytes of it."""

    def reply(handler: BaseHTTPRequestHandler, start: int | None) -> None:
        left = BODY[start or 0 :]
        headers = {} if start is None else {"Content_Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"}
        send(handler, 200 if start is None else 206, left[:count], len(left), **headers)

    return reply


def status(code: int) -> Reply:
    return lambda handler, start: send(handler, code, b"sorry")


def fetch(server: Server, path: Path, size: int | None = len(BODY), attempts: int = 4) -> Path:
    return download(server.url, path, SHA, size, attempts=attempts, timeout_s=5, pause_s=0.001)


def check(path: Path) -> None:
    assert path.read_bytes() == BODY
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]


def test_plain_and_again_without_asking(server: Server, tmp_path: Path) -> None:
    server.replies = [good]
    check(fetch(server, tmp_path / "d" / "f"))
    check(fetch(server, tmp_path / "d" / "f"))
    assert server.ranges == [None]


@pytest.mark.parametrize("seed", range(50))
def test_cut_at_random_bytes_continues_where_it_stopped(server: Server, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    first, second = sorted(rng.sample(range(len(BODY)), 2))
    server.replies = [cut_after(first), cut_after(second - first), good]
    check(fetch(server, tmp_path / "f", None if seed % 2 else len(BODY)))
    assert server.ranges == [None, first or None, second]


def test_a_later_call_continues(server: Server, tmp_path: Path) -> None:
    server.replies = [cut_after(1000), status(503), good]
    with pytest.raises(DataError, match="503"):
        fetch(server, tmp_path / "f", attempts=2)
    assert not (tmp_path / "f").exists()
    check(fetch(server, tmp_path / "f"))
    assert server.ranges == [None, 1000, 1000]


@pytest.mark.parametrize("code", [500, 502, 503, 429, 408])
def test_passing_errors_are_tried_again(server: Server, tmp_path: Path, code: int) -> None:
    server.replies = [status(code), cut_after(10), status(code), good]
    check(fetch(server, tmp_path / "f"))


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_final_errors_are_not(server: Server, tmp_path: Path, code: int) -> None:
    server.replies = [status(code)]
    with pytest.raises(DataError, match=f"the server answers {code}"):
        fetch(server, tmp_path / "f")
    assert len(server.ranges) == 1 and not (tmp_path / "f").exists()


def test_range_ignored_starts_anew(server: Server, tmp_path: Path) -> None:
    server.replies = [cut_after(500), lambda handler, start: send(handler, 200, BODY)]
    check(fetch(server, tmp_path / "f"))


def test_another_range_than_asked_is_not_appended(server: Server, tmp_path: Path) -> None:
    wrong = f"bytes 100-{len(BODY) - 1}/{len(BODY)}"
    server.replies = [cut_after(500), lambda h, s: send(h, 206, BODY[100:], Content_Range=wrong), good]
    check(fetch(server, tmp_path / "f"))


@pytest.mark.parametrize("size", [None, len(BODY)])
def test_part_that_is_complete_already(server: Server, tmp_path: Path, size: int | None) -> None:
    (tmp_path / "f.part").write_bytes(BODY)
    server.replies = [good]
    check(fetch(server, tmp_path / "f", size))
    assert server.ranges == ([len(BODY)] if size is None else [])


@pytest.mark.parametrize("part", [b"x" * 500, BODY[:100] + b"x" + BODY[101:], BODY + b"more", b"x" * len(BODY)])
@pytest.mark.parametrize("size", [None, len(BODY)])
def test_part_of_something_else_is_thrown_away(server: Server, tmp_path: Path, part: bytes, size: int | None) -> None:
    (tmp_path / "f.part").write_bytes(part)
    server.replies = [good]
    check(fetch(server, tmp_path / "f", size))


def test_file_that_was_damaged_later_is_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(BODY[:-1] + b"x")
    server.replies = [good]
    check(fetch(server, tmp_path / "f"))


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (lambda h, s: send(h, 200, b"<html>login</html>", Content_Type="text/html"), "web page"),
        (lambda h, s: send(h, 200, BODY[:-1]), "69999 bytes, expected 70000"),
        (lambda h, s: send(h, 200, BODY + b"x" * 300_000), "expected 70000"),
        (lambda h, s: send(h, 200, BODY[:-1] + b"x"), "SHA-256 differs"),
        (lambda h, s: send(h, 200, b""), "0 bytes, expected"),
    ],
    ids=["html", "short", "long", "other", "empty"],
)
def test_something_else_never_gets_the_name(server: Server, tmp_path: Path, reply: Reply, why: str) -> None:
    server.replies = [reply]
    with pytest.raises(DataError, match=why):
        fetch(server, tmp_path / "f")
    assert not (tmp_path / "f").exists()
    assert (tmp_path / "f.part").stat().st_size == 0


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="no answer"):
        download("http://127.0.0.1:9/f", tmp_path / "f", SHA, attempts=2, timeout_s=1, pause_s=0.001)


def test_other_schemes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        download("file:///etc/passwd", tmp_path / "f", SHA)


def test_two_at_once(server: Server, tmp_path: Path) -> None:
    waiting, arrived = threading.Event(), threading.Event()

    def slow(handler: BaseHTTPRequestHandler, start: int | None) -> None:
        arrived.set()
        waiting.wait(5)
        good(handler, start)

    server.replies = [slow]
    first = threading.Thread(target=fetch, args=(server, tmp_path / "f"))
    first.start()
    assert arrived.wait(5)
    with pytest.raises(ResourceError, match="Another process"):
        fetch(server, tmp_path / "f")
    waiting.set()
    first.join()
    check(tmp_path / "f")


def test_locate_corpus(server: Server, tmp_path: Path) -> None:
    assert locate_corpus("mine", tmp_path, tmp_path) == tmp_path
    with pytest.raises(DataError, match="Give the folder"):
        locate_corpus("mine", tmp_path / "none", tmp_path)
    with pytest.raises(DataError, match="no download is known"):
        locate_corpus("mine", None, tmp_path)
    with pytest.raises(DataError, match="out to download mine"):
        locate_corpus("mine", tmp_path / "none", tmp_path, Archive(server.url, SHA, len(BODY), "c"))
    server.replies = [good]
    with pytest.raises(DataError, match="Broken archive"):  # the bytes are as promised, but no archive
        locate_corpus("mine", None, tmp_path / "cache", Archive(server.url, SHA, len(BODY), "c"))
