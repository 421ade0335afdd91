"""Forced alignment by pocketsphinx with the US English model that its wheel carries, its boundaries made precise.

Every word is aligned under a private name with the pronunciations of the tokens, so the phones found are the tokens'
own (the first one listed or a variant), whatever pocketsphinx's dictionary says. Silences between words are optional
and found by the search. pocketsphinx says where the words are and how they were said; `speechkd.align.refine` then
finds their phones and the pauses to within 10 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechkd.align.matching import without_stress
from speechkd.align.options import PocketsphinxOptions
from speechkd.align.pocketsphinx_words import FRAME_S, SAMPLE_RATE, FoundWord, WordFinder
from speechkd.align.refine import CoarseWord, Refiner, refiner
from speechkd.align.types import SILENCE, Alignment, Interval
from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text import Tokens
    from speechkd.text.tokens import Word

_FRAMES_PER_PHONE = 3  # every phone model has three states, each of at least one frame
# The level is set before alignment, so that the result does not depend on the gain of the recording.
_PEAK = 0.5
# pocketsphinx stamps a frame at the start of its 25.6 ms window: its own boundaries sit early by about this much.
_STAMP_S = 0.010
_MAX_VARIANTS = 8
# No recording of read speech that was tried with its own text fits worse: said, not refused.
_POOR_FIT = -2.4

_TODO = "Check that the text is what is said in this recording."


class PocketsphinxAligner:
    """A word finder and a refiner. Use `pocketsphinx_aligner` to get one."""

    def __init__(self, options: PocketsphinxOptions) -> None:
        self._options = options
        self._refiner: Refiner | None = refiner() if options.refine else None
        self._finders = [WordFinder(options.beam, options.wbeam, options.pbeam)]

    def align(
        self, samples: NDArray[np.float32], sample_rate: int, tokens: Tokens, *, utterance_id: str = ""
    ) -> Alignment:
        """Words and phones of `samples` (T,) in time. Raises `DataError` when no alignment is found."""
        where = utterance_id or None
        sound = _at_16k(samples, sample_rate, where)
        duration_s = len(samples) / sample_rate
        _check_room(tokens, duration_s, where)
        listed = [_pronunciations(word) for word in tokens.words]
        words, note = self._find(listed, _pcm(sound), where)
        if self._refiner is None:
            phones = [_stamped(phone) for word in words for phone in word.phones]
        else:
            phones, extra = self._refined(self._refiner, sound, words, where)
            note = "; ".join(filter(None, (note, extra)))
        moved = _inside(phones, self._options.offset_s, duration_s)
        return _assemble(tokens, listed, words, moved, duration_s, note).check(where)

    def _find(
        self, listed: Sequence[Sequence[tuple[str, ...]]], pcm: bytes, where: str | None
    ) -> tuple[list[FoundWord], str]:
        """The words by the usual search, else by wider ones; with a note of what was needed."""
        phones = self._refiner is None
        first_only = [pronunciations[:1] for pronunciations in listed]
        reasons: list[str] = []
        for wide, choices, note in (
            (False, listed, ""),
            (True, listed, "found with the widest beams only"),
            (True, first_only, "found with the widest beams and without variants only"),
        ):
            try:
                return self._finder(wide).find(choices, pcm, phones), note
            except LookupError as error:
                reasons.append(str(error))
            except ValueError as error:
                raise DataError("pocketsphinx cannot align this word", where=where, why=str(error)) from error
        raise DataError("Cannot align", where=where, why=reasons[-1], todo=_TODO)

    def _finder(self, wide: bool) -> WordFinder:
        if wide and len(self._finders) == 1:
            self._finders.append(WordFinder(*[1e-300] * 3))
        return self._finders[wide]

    def _refined(
        self, refiner: Refiner, sound: NDArray[np.float32], words: Sequence[FoundWord], where: str | None
    ) -> tuple[list[Interval], str]:
        """The phones with refined boundaries, and a note where they fit badly. DataError where they do not fit."""
        coarse = [CoarseWord(word.start_s + _STAMP_S, word.end_s + _STAMP_S, word.pronunciation) for word in words]
        found = refiner.refine(sound, coarse)
        if found is None:
            raise DataError("Cannot align", where=where, why="no path around the words found fits the text", todo=_TODO)
        if found.fit < self._options.min_fit:
            why = f"the sound fits the text badly ({found.fit:.2f}, less than align.min_fit {self._options.min_fit:g})"
            raise DataError("Cannot align", where=where, why=why, todo=_TODO)
        note = f"the sound fits the text badly ({found.fit:.2f})" if found.fit < _POOR_FIT else ""
        return list(found.phones), note


@lru_cache(maxsize=4)
def pocketsphinx_aligner(options: PocketsphinxOptions) -> PocketsphinxAligner:
    """The aligner of this process for `options`; loading the models takes a tenth of a second, once."""
    return PocketsphinxAligner(options)


def _pronunciations(word: Word) -> list[tuple[str, ...]]:
    """The word's pronunciations with stress, those that sound different only: the first one listed comes first."""
    distinct: dict[tuple[str, ...], tuple[str, ...]] = {}
    for phones in (word.phones, *word.variants):
        distinct.setdefault(tuple(map(without_stress, phones)), phones)
    return list(distinct.values())[:_MAX_VARIANTS]


def _check_room(tokens: Tokens, duration_s: float, where: str | None) -> None:
    n_phones = sum(len(word.phones) for word in tokens.words)
    if not n_phones:
        raise DataError("Nothing to align", where=where, why="the text has no word")
    if duration_s < n_phones * _FRAMES_PER_PHONE * FRAME_S:
        why = f"{duration_s:.2f} s cannot hold {n_phones} phones"
        raise DataError("Cannot align", where=where, why=why, todo="Check that the text is of this recording.")


def _at_16k(samples: NDArray[np.float32], sample_rate: int, where: str | None) -> NDArray[np.float32]:
    """`samples` at 16 kHz and a fixed peak."""
    import soxr

    peak = float(np.max(np.abs(samples), initial=0.0))
    if not np.isfinite(peak) or peak == 0.0:
        why = "the recording is silent" if peak == 0 else "it has NaN or Inf"
        raise DataError("Cannot align", where=where, why=why)
    resampled: NDArray[np.float32] = soxr.resample(
        np.asarray(samples, np.float32) * (_PEAK / peak), sample_rate, SAMPLE_RATE
    )
    return resampled


def _pcm(sound: NDArray[np.float32]) -> bytes:
    return np.clip(np.round(sound * 32767), -32768, 32767).astype("<i2").tobytes()


def _stamped(phone: Interval) -> Interval:
    return Interval(phone.start_s + _STAMP_S, phone.end_s + _STAMP_S, phone.label)


def _inside(phones: Iterable[Interval], offset_s: float, duration_s: float) -> list[Interval]:
    """The phones moved by `offset_s` where they are inside the recording; an edge of the recording stays one."""
    moved = []
    for phone in phones:
        start_s = _clamped(phone.start_s + offset_s, duration_s) if phone.start_s > _STAMP_S else 0.0
        end_s = _clamped(phone.end_s + offset_s, duration_s)
        moved.append(replace(phone, start_s=start_s, end_s=end_s))
    if moved and duration_s - moved[-1].end_s <= FRAME_S:
        moved[-1] = replace(moved[-1], end_s=duration_s)
    return moved


def _clamped(time_s: float, duration_s: float) -> float:
    return round(min(max(time_s, 0.0), duration_s), 6)


def _assemble(
    tokens: Tokens,
    listed: Sequence[Sequence[tuple[str, ...]]],
    words: Sequence[FoundWord],
    phones: Sequence[Interval],
    duration_s: float,
    note: str,
) -> Alignment:
    """The alignment with stress on the phones, words over them, and silence in every gap."""
    labels = iter(phone for choices, word in zip(listed, words, strict=True) for phone in choices[word.choice])
    spoken = [replace(phone, label=next(labels)) for phone in phones]
    spans: list[Interval] = []
    at = 0
    for text, word in zip(tokens.words, words, strict=True):
        last = at + len(word.pronunciation)
        spans.append(Interval(spoken[at].start_s, spoken[last - 1].end_s, text.text))
        at = last
    return Alignment(tuple(spans), tuple(_with_silences(spoken, duration_s)), duration_s, note)


def _with_silences(spoken: Sequence[Interval], duration_s: float) -> Iterator[Interval]:
    at = 0.0
    for phone in spoken:
        if phone.start_s > at:
            yield Interval(at, phone.start_s, SILENCE)
        yield phone
        at = phone.end_s
    if at < duration_s:
        yield Interval(at, duration_s, SILENCE)
