"""A real server on a free port of this machine, in a thread of the test's own process."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from speechkd.serve.options import Options
from speechkd.serve.page_files import Page
from speechkd.serve.server import listen, make_server
from speechkd.serve.voices import VoiceTable
from speechkd.synthesis.controls import Controls
from speechkd.synthesis.speech import Speech, Timed
from speechkd.text import split_sentences

RATE = 8_000


@dataclass
class Running:
    """A server that answers."""

    port: int
    client: httpx.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def say(self, text: str = "It works.", **fields: Any) -> httpx.Response:
        return self.client.post("/synthesize", json={"text": text, **fields})

    def raw(self, data: bytes, *, timeout_s: float = 5.0) -> bytes:
        """What comes back for bytes that no decent client would send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            connection.sendall(data)
            return read_all(connection)

    def figure(self, name: str) -> float:
        """The sum of a figure of /metrics over its labels."""
        lines = self.client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split()[0] == name)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes, or breaks the connection."""
    got = b""
    try:
        while piece := connection.recv(65_536):
            got += piece
    except ConnectionResetError:
        pass
    return got


def status(answer: bytes) -> int:
    """The status of a raw answer; 0 where there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def error(answer: httpx.Response) -> dict[str, Any]:
    """The error in an answer, of the one shape that errors have."""
    document = answer.json()
    assert document.keys() == {"error"} and document["error"].keys() == {"message", "type", "param", "code"}
    return document["error"]


@contextmanager
def serving(voices: VoiceTable, options: Options | None = None, page: Page | None = None) -> Iterator[Running]:
    """Start a server, and stop it."""
    options = (options or Options()).model_copy(update={"port": 0})
    server = make_server(voices, options, page)
    with listen(options) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            wait_until(lambda: server.started)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                yield Running(port, client)
        finally:
            server.should_exit = True
            thread.join(20)
    assert not thread.is_alive()


def wait_until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for something to become true; AssertionError if it does not."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.01)


def raw_post(path: str, fields: dict[str, Any], **headers: str) -> bytes:
    """The bytes of a POST request."""
    body = json.dumps(fields).encode()
    given = {"host": "localhost", "content-type": "application/json", "content-length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


class Clock:
    """A voice without a network: a second of a rising ramp for each sentence, made when the test says so.

    It waits for `go`, but not with the sentences that are `ready`.
    """

    name = "clock"
    sample_rate = RATE
    speakers: tuple[str, ...] = ()

    def __init__(self, seconds: float = 1.0) -> None:
        self.go = threading.Event()
        self.go.set()
        self.asked = threading.Semaphore(0)
        self.said: list[str] = []
        self.ready: set[str] = set()
        self._seconds = seconds

    def say(self, text: str, controls: Controls, phones: Any = None, *, ssml: bool = False) -> Iterator[Speech]:
        for sentence in split_sentences(text):
            yield self._say(sentence, controls.speed)

    def _say(self, sentence: str, speed: float) -> Speech:
        self.said.append(sentence)
        self.asked.release()
        assert sentence in self.ready or self.go.wait(20)
        samples = np.linspace(-0.5, 0.5, round(RATE * self._seconds / speed), dtype=np.float32)
        word = Timed(sentence, 0.0, len(samples) / RATE)
        return Speech(samples, RATE, (word,), (word,))


class ClockTable(VoiceTable):
    """A table of one clock; nothing is known of it but its name."""

    def __init__(self, clock: Clock) -> None:
        super().__init__([clock])  # type: ignore[list-item]

    def described(self) -> list[dict[str, Any]]:
        return [{"id": name} for name in self.names]


def folder_of_page(folder: Path) -> Page:
    """A page of three files."""
    for name in ("index.html", "page.css", "page.js"):
        (folder / name).write_text(f"/* {name} */", encoding="utf-8")
    return Page(folder)
