"""From a checked request to speech, piece by piece."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from speechkd.errors import UsageError
from speechkd.serve.refusals import Refusal
from speechkd.synthesis.speech import Speech
from speechkd.synthesis.voice import Voice


@dataclass(frozen=True)
class Task:
    """What is to be said, by whom and how: `controls` are arguments of `Voice.stream`."""

    voice: Voice
    text: str
    controls: dict[str, Any] = field(default_factory=dict)
    ssml: bool = False


def speak(task: Task) -> Iterator[Speech]:
    """The speech of a task, in the pieces in which it is made; joined they are what `Voice.synthesize` gives.

    Raises UsageError as `Voice.synthesize` does, and for SSML where voices do not read it.
    """
    if not task.ssml:
        return task.voice.stream(task.text, **task.controls)
    if "ssml" not in inspect.signature(task.voice.stream).parameters:
        raise UsageError("voices of this version read no SSML", todo="Send a text")
    return task.voice.stream(task.text, **task.controls, ssml=True)


def limited(pieces: Iterator[Speech], most_s: float) -> Iterator[Speech]:
    """The pieces themselves; Refusal (422) before one that would make the whole longer than `most_s` seconds."""
    total_s = 0.0
    for piece in pieces:
        total_s += piece.duration_s
        if total_s > most_s:
            raise Refusal(422, "too_long", f"the speech would be longer than {most_s:g} s: send the text in parts")
        yield piece
