"""The listener of the robustness test, and how well it hears: on recordings, and on recordings spoilt on purpose.

`speechkd.metrics.known_words` expects the words of the sentence. What it calls skipped or repeated in copy synthesis of
held-out recordings, where nothing is, is its own error; how many of the words it misses that were cut out or doubled
says how much it overhears.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.tts.common.claims.systems import System
from recipes.tts.common.infer import COPY, RECORDING
from speechkd.align.types import Alignment, Interval
from speechkd.audio.io import read_audio
from speechkd.metrics.known_words import KnownWords
from speechkd.metrics.word_errors import word_errors
from speechkd.runner import Item
from speechkd.text import Tokens

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """Errors of one utterance of `words` words; `understood` is False where nothing of the sentence was found."""

    words: int
    skips: int
    repeats: int
    understood: bool

    def to_json(self) -> dict[str, Any]:
        """The fields, and whether there was any error."""
        return vars(self) | {"wrong": bool(self.skips or self.repeats or not self.understood)}


def listen(samples: Samples, sample_rate: int, tokens: Tokens) -> Heard:
    """What was skipped and said again of the words of `tokens`. Without any path all words count as skipped."""
    n_words = len(tokens.words)
    path = KnownWords().heard(samples, sample_rate, [(word.phones, *word.variants) for word in tokens.words])
    if path is None:
        return Heard(n_words, n_words, 0, False)
    errors = word_errors(range(n_words), path)
    return Heard(n_words, len(errors.skipped), errors.repeats, True)


def try_listener(id_: str, _value: None, system: System) -> Item:
    """The listener's errors on a recording, on its copy synthesis, and on the copy with a word cut out or doubled."""
    tokens = system.tokens(id_)
    rows: dict[str, Any] = {}
    for name in (RECORDING, COPY):
        audio = read_audio(system.artifact("samples") / name / f"{id_}.wav")
        rows[name] = listen(audio.samples, audio.sample_rate, tokens).to_json()
    words = Alignment.from_json(system.store("alignment").meta(id_)).words
    # One word of each recording, always the same one.
    place = int(hashlib.sha256(id_.encode()).hexdigest(), 16) % len(words)
    for name, spoilt in (("cut", _without), ("doubled", _twice)):
        heard = listen(spoilt(audio.samples, audio.sample_rate, words[place]), audio.sample_rate, tokens)
        rows[name] = heard.to_json()
    return Item(meta=rows)


def _without(samples: Samples, sample_rate: int, word: Interval) -> Samples:
    start, end = _span(sample_rate, word)
    return np.concatenate([samples[:start], samples[end:]])


def _twice(samples: Samples, sample_rate: int, word: Interval) -> Samples:
    start, end = _span(sample_rate, word)
    return np.concatenate([samples[:end], samples[start:]])


def _span(sample_rate: int, word: Interval) -> tuple[int, int]:
    return round(word.start_s * sample_rate), round(word.end_s * sample_rate)


def listener_summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """False alarms per word on recordings and copies; shares of planted errors that were heard."""
    found: dict[str, Any] = {"utterances": len(rows)}
    for name in (RECORDING, COPY):
        words = sum(row[name]["words"] for row in rows)
        found[name] = {
            "words": words,
            "skips": sum(row[name]["skips"] for row in rows),
            "repeats": sum(row[name]["repeats"] for row in rows),
            "sentences_wrong": sum(row[name]["wrong"] for row in rows),
        }
    for name, kind in (("cut", "skips"), ("doubled", "repeats")):
        found[name] = {"planted": len(rows), "heard": sum(row[name][kind] > 0 for row in rows)}
    return found
