"""Forced alignment by pocketsphinx with the US English model that its wheel carries.

Every word is aligned under a private name with exactly the pronunciation of the tokens, so the phones found are the
tokens' own, whatever pocketsphinx's dictionary says. Silences between words are optional and found by the decoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speechkd.align.matching import check_same_phones, token_phones, without_stress, words_from_phones
from speechkd.align.options import PocketsphinxOptions
from speechkd.align.types import SILENCE, Alignment, Interval
from speechkd.errors import DataError, missing_extra

if TYPE_CHECKING:
    from speechkd.text import Tokens

_SAMPLE_RATE = 16000
_FRAME_S = 0.01
_FRAMES_PER_PHONE = 3  # every phone model has three states, each of at least one frame
# The level is set before alignment, so that the result does not depend on the gain of the recording.
_PEAK = 0.5


class PocketsphinxAligner:
    """One decoder and the pronunciations that were added to it. Use `pocketsphinx_aligner` to get one."""

    def __init__(self, options: PocketsphinxOptions) -> None:
        self._offset_s = options.offset_s
        self._decoder = _decoder(options)
        self._names: dict[tuple[str, ...], str] = {}

    def align(
        self, samples: NDArray[np.float32], sample_rate: int, tokens: Tokens, *, utterance_id: str = ""
    ) -> Alignment:
        """Words and phones of `samples` (T,) in time. Raises `DataError` when no alignment is found."""
        where = utterance_id or None
        phones = [phone for phone, _ in token_phones(tokens)]
        raw = _pcm16k(samples, sample_rate, where)
        if not phones:
            raise DataError("Nothing to align", where=where, why="the text has no word")
        if len(raw) // 2 < len(phones) * _FRAMES_PER_PHONE * _FRAME_S * _SAMPLE_RATE:
            why = f"{len(samples) / sample_rate:.2f} s cannot hold {len(phones)} phones"
            raise DataError("Cannot align", where=where, why=why, todo="Check that the text is of this recording.")
        names = [self._name(tuple(map(without_stress, word.phones)), where) for word in tokens.words]
        return self._finish(self._segments(names, raw, where), tokens, len(samples) / sample_rate, where)

    def _name(self, phones: tuple[str, ...], where: str | None) -> str:
        """The private name of a pronunciation, added to the decoder's dictionary at first use."""
        if phones not in self._names:
            name = f"spk{len(self._names):06d}"
            try:
                self._decoder.add_word(name, " ".join(phones), True)
            except RuntimeError as error:
                why = f"phones {' '.join(phones)!r} are not in its model"
                raise DataError("pocketsphinx cannot align this word", where=where, why=why) from error
            self._names[phones] = name
        return self._names[phones]

    def _segments(self, names: list[str], raw: bytes, where: str | None) -> list[tuple[int, int, str]]:
        """(first frame, frames, phone) of every phone and filler: words are found first, then phones within them."""
        decoder = self._decoder
        try:
            decoder.set_align_text(" ".join(names))
            self._decode(raw)
            if decoder.hyp() is None:
                raise RuntimeError("no path through the recording fits the text")
            decoder.set_alignment()
            self._decode(raw)
            words = decoder.get_alignment()
            if words is None:
                raise RuntimeError("the phones do not fit the words found")
        except RuntimeError as error:
            todo = "Check that the text is what is said in this recording."
            raise DataError("Cannot align", where=where, why=str(error), todo=todo) from error
        spoken = set(names)
        return [
            (phone.start, phone.duration, phone.name if word.name in spoken else SILENCE)
            for word in words.words()
            for phone in word
        ]

    def _decode(self, raw: bytes) -> None:
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(raw, full_utt=True)
        finally:
            self._decoder.end_utt()

    def _finish(
        self, segments: list[tuple[int, int, str]], tokens: Tokens, duration_s: float, where: str | None
    ) -> Alignment:
        expected = [phone for phone, _ in token_phones(tokens)]
        check_same_phones([label for _, _, label in segments if label != SILENCE], expected, where)
        phones = tuple(_to_seconds(segments, iter(expected), self._offset_s, duration_s))
        spoken = [phone for phone in phones if phone.label != SILENCE]
        return Alignment(words_from_phones(spoken, tokens), phones, duration_s).check(where)


@lru_cache(maxsize=4)
def pocketsphinx_aligner(options: PocketsphinxOptions) -> PocketsphinxAligner:
    """The aligner of this process for `options`; loading the model takes a tenth of a second, once."""
    return PocketsphinxAligner(options)


def _decoder(options: PocketsphinxOptions) -> Any:
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise missing_extra("pocketsphinx", "train", "Alignment") from error
    return Decoder(
        samprate=_SAMPLE_RATE,
        lm=None,
        bestpath=False,
        loglevel="FATAL",
        beam=options.beam,
        wbeam=options.wbeam,
        pbeam=options.pbeam,
    )


def _pcm16k(samples: NDArray[np.float32], sample_rate: int, where: str | None) -> bytes:
    """`samples` at 16 kHz and a fixed peak, as 16-bit little-endian bytes."""
    import soxr

    peak = float(np.max(np.abs(samples), initial=0.0))
    if not np.isfinite(peak) or peak == 0.0:
        raise DataError(
            "Cannot align", where=where, why="the recording is silent" if peak == 0 else "it has NaN or Inf"
        )
    resampled = soxr.resample(np.asarray(samples, np.float32) * (_PEAK / peak), sample_rate, _SAMPLE_RATE)
    return np.clip(np.round(resampled * 32767), -32768, 32767).astype("<i2").tobytes()


def _to_seconds(
    segments: list[tuple[int, int, str]], labels: Iterator[str], offset_s: float, duration_s: float
) -> Iterator[Interval]:
    """Intervals that meet, cover the recording and carry the tokens' labels; neighbouring silences become one."""
    starts = [_inner(first * _FRAME_S + offset_s, duration_s) for first, _, _ in segments]
    starts[0] = 0.0
    last = _inner((segments[-1][0] + segments[-1][1]) * _FRAME_S + offset_s, duration_s)
    # What is left after the last frame belongs to a last silence; a remainder below one frame to the last segment.
    tail = duration_s - last > _FRAME_S and segments[-1][2] != SILENCE
    ends = [*starts[1:], last if tail else duration_s]
    silence_start: float | None = None
    for start, end, (_, _, label) in zip(starts, ends, segments, strict=True):
        if label == SILENCE:
            silence_start = start if silence_start is None else silence_start
            continue
        if silence_start is not None and start > silence_start:
            yield Interval(silence_start, start, SILENCE)
        silence_start = None
        yield Interval(start, end, next(labels))
    silence_start = ends[-1] if tail else silence_start
    if silence_start is not None and silence_start < duration_s:
        yield Interval(silence_start, duration_s, SILENCE)


def _inner(time_s: float, duration_s: float) -> float:
    return round(min(max(time_s, 0.0), duration_s), 6)
