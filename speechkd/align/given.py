"""Alignments that the user brings as TextGrids, checked against the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechkd.align.matching import check_same_phones, token_phones, words_from_phones
from speechkd.align.options import GivenOptions
from speechkd.align.textgrid import read_textgrid
from speechkd.align.types import SILENCE, Alignment, Interval
from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text import Tokens

#: TextGrid and recording may differ in length by this much (frame-wise aligners stop early).
_LENGTH_TOLERANCE_S = 0.05


class GivenAligner:
    """Reads `<folder>/<utterance id>.TextGrid`; the phones must be those of the text, stress apart."""

    def __init__(self, options: GivenOptions) -> None:
        self._folder = options.folder

    def align(
        self, samples: NDArray[np.float32], sample_rate: int, tokens: Tokens, *, utterance_id: str = ""
    ) -> Alignment:
        """The alignment in the TextGrid of `utterance_id`, with the stress and the words of `tokens`."""
        path = self._folder / f"{utterance_id}.TextGrid"
        given = read_textgrid(path)
        duration_s = len(samples) / sample_rate
        if abs(given.duration_s - duration_s) > _LENGTH_TOLERANCE_S:
            why = f"it covers {given.duration_s:.3f} s, the recording {duration_s:.3f} s"
            raise DataError("The TextGrid is of another recording", where=str(path), why=why)
        expected = [phone for phone, _ in token_phones(tokens)]
        check_same_phones([phone.label for phone in given.spoken_phones()], expected, str(path))
        phones = _relabel(_stretch(given.phones, duration_s), expected)
        spoken = [phone for phone in phones if phone.label != SILENCE]
        return Alignment(words_from_phones(spoken, tokens), phones, duration_s).check(str(path))


def _stretch(phones: tuple[Interval, ...], duration_s: float) -> list[Interval]:
    """The phones with the last end moved to the end of the recording; those beyond it are refused by `check`."""
    last = phones[-1]
    return [*phones[:-1], Interval(last.start_s, duration_s, last.label)]


def _relabel(phones: list[Interval], labels: list[str]) -> tuple[Interval, ...]:
    names = iter(labels)
    return tuple(
        phone if phone.label == SILENCE else Interval(phone.start_s, phone.end_s, next(names)) for phone in phones
    )
