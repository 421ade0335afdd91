"""The shapes in which speech is sent: each makes the bytes of an answer from pieces of speech, as they come.

An empty piece of bytes says only that work has been done: between any two pieces a worker can stop.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from speechkd.audio.formats import Format, encode, encode_pieces
from speechkd.synthesis.speech import Speech, join

Pieces = Iterator[Speech]


@dataclass(frozen=True)
class Answer:
    """A shape of an answer: `make` encodes; `streamed` answers are sent while they are made."""

    media_type: str
    make: Callable[[Pieces], Iterator[bytes]]
    streamed: bool


def whole_audio(fmt: Format) -> Answer:
    """One audio file, when all of it is there."""

    def make(pieces: Pieces) -> Iterator[bytes]:
        speech = yield from _collect(pieces)
        yield encode(speech.samples, speech.sample_rate, fmt)

    return Answer(fmt.media_type, make, streamed=False)


def streamed_audio(fmt: Format, sample_rate: int) -> Answer:
    """One audio file, sent as it is made."""

    def make(pieces: Pieces) -> Iterator[bytes]:
        return encode_pieces((piece.samples for piece in pieces), sample_rate, fmt)

    return Answer(fmt.media_type, make, streamed=True)


def whole_json(fmt: Format) -> Answer:
    """A JSON document: the audio file in base64, and the times of what is heard in it."""

    def make(pieces: Pieces) -> Iterator[bytes]:
        speech = yield from _collect(pieces)
        audio = encode(speech.samples, speech.sample_rate, fmt)
        yield _json({"format": fmt.name, **speech.times(), "audio": _base64(audio)})

    return Answer("application/json", make, streamed=False)


def streamed_json(fmt: Format, sample_rate: int) -> Answer:
    """JSON documents, one a line: more of the audio file, and the times in the piece, which begins at `start_s`."""

    def make(pieces: Pieces) -> Iterator[bytes]:
        ahead = _Ahead(pieces)
        n_samples = 0
        for data in encode_pieces((piece.samples for piece in ahead), sample_rate, fmt):
            said = ahead.take()
            times = {"start_s": round(n_samples / sample_rate, 4), **said.times()} if said else {}
            n_samples += len(said.samples) if said else 0
            yield _json({"format": fmt.name, **times, "audio": _base64(data)}) + b"\n"

    return Answer("application/x-ndjson", make, streamed=True)


def server_sent_events(fmt: Format, sample_rate: int) -> Answer:
    """The events that OpenAI's `stream_format: sse` sends."""

    def make(pieces: Pieces) -> Iterator[bytes]:
        for data in encode_pieces((piece.samples for piece in pieces), sample_rate, fmt):
            if data:
                yield _event({"type": "speech.audio.delta", "audio": _base64(data)})
        yield _event({"type": "speech.audio.done"})

    return Answer("text/event-stream", make, streamed=True)


class _Ahead:
    """Pieces on their way to an encoder; the last that it took can be asked for once."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._taken: Speech | None = None

    def __iter__(self) -> Pieces:
        for piece in self._pieces:
            self._taken = piece
            yield piece

    def take(self) -> Speech | None:
        taken, self._taken = self._taken, None
        return taken


def _collect(pieces: Pieces) -> Any:
    parts: list[Speech] = []
    for piece in pieces:
        parts.append(piece)
        yield b""
    return join(parts)


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + _json(data) + b"\n\n"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode("utf-8")
