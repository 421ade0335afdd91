"""From a checked request to speech, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from speechkd.serve.refusals import Refusal
from speechkd.synthesis.controls import Controls
from speechkd.synthesis.speech import Speech
from speechkd.synthesis.voice import Voice
from speechkd.text.line import Prosody


@dataclass(frozen=True)
class Task:
    """What is to be said, by whom and how; see `Voice.say`."""

    voice: Voice
    text: str
    controls: Controls
    phones: Mapping[int, Prosody] = field(default_factory=dict)
    ssml: bool = False


def speak(task: Task) -> Iterator[Speech]:
    """The speech of a task, in the pieces in which it is made; joined they are what `Voice.synthesize` gives.

    Raises as `Voice.say` does.
    """
    return task.voice.say(task.text, task.controls, task.phones, ssml=task.ssml)


def limited(pieces: Iterator[Speech], most_s: float) -> Iterator[Speech]:
    """The pieces themselves; Refusal (422) before one that would make the whole longer than `most_s` seconds."""
    total_s = 0.0
    for piece in pieces:
        total_s += piece.duration_s
        if total_s > most_s:
            raise Refusal(422, "too_long", f"the speech would be longer than {most_s:g} s: send the text in parts")
        yield piece
