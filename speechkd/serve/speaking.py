"""From a checked request to speech, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

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

    Raises what `Voice.synthesize` raises.
    """
    return task.voice.stream(task.text, **task.controls, ssml=task.ssml)


def limited(pieces: Iterator[Speech], most_s: float) -> Iterator[Speech]:
    """The pieces themselves; Refusal (422) before one that would make the whole longer than `most_s` seconds."""
    total_s = 0.0
    for piece in pieces:
        total_s += piece.duration_s
        if total_s > most_s:
            raise Refusal(422, "too_long", f"the speech would be longer than {most_s:g} s: send the text in parts")
        yield piece
