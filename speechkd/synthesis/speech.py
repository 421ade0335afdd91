"""What a voice returns: samples, and when each word and phone is heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from speechkd.audio.formats import format_of, write_pieces
from speechkd.synthesis.files import whole_file
from speechkd.text import Tokens


@dataclass(frozen=True)
class Timed:
    """A word or phone and when it is heard, in seconds from the start of the audio."""

    text: str
    start_s: float
    end_s: float

    def shifted(self, by_s: float) -> Timed:
        """The same, `by_s` seconds later."""
        return Timed(self.text, self.start_s + by_s, self.end_s + by_s)


@dataclass(frozen=True)
class Speech:
    """Synthesised audio: `samples` float32 (T,) in [-1, 1].

    `phones` cover the audio from end to end without gaps; a pause has the text "". `words` leave pauses out.
    `marks` are those of SSML: they have a name and no length.
    """

    samples: npt.NDArray[np.float32]
    sample_rate: int
    words: tuple[Timed, ...]
    phones: tuple[Timed, ...]
    marks: tuple[Timed, ...] = ()

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    def times(self) -> dict[str, Any]:
        """Length, words, phones and marks as plain JSON data, times in seconds rounded to 0.1 ms."""
        return {
            "sample_rate": self.sample_rate,
            "duration_s": round(self.duration_s, 4),
            "words": [_plain(word) for word in self.words],
            "phones": [_plain(phone) for phone in self.phones],
            "marks": [{"name": mark.text, "at_s": round(mark.start_s, 4)} for mark in self.marks],
        }

    def save(self, path: Path | str) -> Path:
        """Write a file of the kind that its suffix names, whole or not at all, and return its path.

        .wav, .flac, .mp3, .ogg, .opus, .pcm (see `speechkd.audio.formats`). Raises UsageError for another suffix,
        ResourceError when the place cannot be written to.
        """
        return save(Path(path), [self], self.sample_rate)


def _plain(timed: Timed) -> dict[str, Any]:
    return {"text": timed.text, "start_s": round(timed.start_s, 4), "end_s": round(timed.end_s, 4)}


def save(path: Path, pieces: Iterable[Speech], sample_rate: int) -> Path:
    """Write pieces of speech as they are made into one file, whole or not at all; see `Speech.save`."""
    fmt = format_of(path)
    with whole_file(path) as draft:
        write_pieces(draft, (piece.samples for piece in pieces), sample_rate, fmt)
    return path


def join(parts: Sequence[Speech]) -> Speech:
    """The parts one after the other as one, with their times shifted. All must have one sample rate."""
    rate = parts[0].sample_rate
    words: list[Timed] = []
    phones: list[Timed] = []
    marks: list[Timed] = []
    n_samples = 0
    for part in parts:
        start_s = n_samples / rate
        for whole, own in ((words, part.words), (phones, part.phones), (marks, part.marks)):
            whole += [each.shifted(start_s) for each in own]
        n_samples += len(part.samples)
    samples = np.concatenate([part.samples for part in parts])
    return Speech(samples, rate, tuple(words), tuple(phones), tuple(marks))


def timed_tokens(tokens: Tokens, durations: Sequence[int], hop_s: float) -> tuple[tuple[Timed, ...], tuple[Timed, ...]]:
    """Words and phones of an utterance from the frames (T,) that each of its tokens lasts.

    Pauses without length are left out of the phones; others become "".
    """
    ends = np.cumsum(durations)
    starts = ends - np.asarray(durations)
    phones: list[Timed] = []
    spans: dict[int, tuple[int, int]] = {}
    for symbol, word, start, end in zip(tokens.symbols, tokens.word_index, starts, ends, strict=True):
        spoken = word >= 0
        if spoken or end > start:
            phones.append(Timed(symbol if spoken else "", float(start * hop_s), float(end * hop_s)))
        if word >= 0:
            spans[word] = (spans.get(word, (start, end))[0], end)
    words = tuple(
        Timed(tokens.words[word].text, float(first * hop_s), float(last * hop_s))
        for word, (first, last) in sorted(spans.items())
    )
    return words, tuple(phones)
