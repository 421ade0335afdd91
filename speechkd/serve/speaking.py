"""From a checked request to speech, sentence by sentence."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from speechkd.errors import UsageError
from speechkd.serve.refusals import Refusal
from speechkd.synthesis.speech import Speech
from speechkd.synthesis.voice import Voice
from speechkd.text import split_sentences

_NEUTRAL = {"speed": 1.0, "pitch": 0.0, "energy": 1.0, "volume": 1.0, "pauses": 1.0, "seed": 0, "speaker": None,
            "steps": None, "ssml": False}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """What is to be said, by whom and how: `controls` are arguments of `Voice.synthesize`."""

    voice: Voice
    text: str
    controls: dict[str, Any] = field(default_factory=dict)


def speak(task: Task) -> Iterator[Speech]:
    """The speech of a task, in the pieces in which it is made; joined they are what `Voice.synthesize` gives.

    Raises UsageError as `Voice.synthesize` does.
    """
    controls = {name: value for name, value in task.controls.items() if value != _NEUTRAL[name]}
    stream = getattr(task.voice, "stream", None)
    if stream is not None:
        yield from stream(task.text, **controls)
        return
    _check_known(task.voice, controls)
    yield from _by_sentence(task, controls)


def _check_known(voice: Voice, controls: dict[str, Any]) -> None:
    """UsageError for a control that voices of this version do not have."""
    known = inspect.signature(voice.synthesize).parameters
    for name in controls:
        if name not in known:
            raise UsageError(f"the voice {voice.name} has no control of {name}", todo=f"Leave {name} out")


def _by_sentence(task: Task, controls: dict[str, Any]) -> Iterator[Speech]:
    """Sentence by sentence: a request that nobody waits for any more can then be given up between two of them."""
    silent: UsageError | None = None
    spoken = False
    for sentence in split_sentences(task.text) or [task.text]:
        try:
            yield task.voice.synthesize(sentence, **controls)
            spoken = True
        except UsageError as error:
            if error.what != "there is nothing to speak":
                raise
            silent = error
    if silent is not None and not spoken:
        raise silent


def limited(pieces: Iterator[Speech], most_s: float) -> Iterator[Speech]:
    """The pieces themselves; Refusal (422) before one that would make the whole longer than `most_s` seconds."""
    total_s = 0.0
    for piece in pieces:
        total_s += piece.duration_s
        if total_s > most_s:
            raise Refusal(422, "too_long", f"the speech would be longer than {most_s:g} s: send the text in parts")
        yield piece
