"""Alignments that the user brings, TextGrids or durations, checked against the text and the recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechkd.align.given_durations import align_durations, find_durations
from speechkd.align.given_phones import adopt_phones
from speechkd.align.given_words import refuse_unknown
from speechkd.align.matching import check_same_phones, token_phones, words_from_phones
from speechkd.align.options import GivenOptions
from speechkd.align.respell import relabelled, respelled
from speechkd.align.textgrid import find_textgrids, read_textgrid
from speechkd.align.types import SILENCE, Alignment, Interval
from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text import Tokens

#: Beside TextGrids that a program wrote: why it wrote none for some utterances, {id: reason}.
REASONS_FILE = "reasons.json"

#: TextGrid and recording may differ in length by this much (frame-wise aligners stop early).
_LENGTH_TOLERANCE_S = 0.05

#: What is left after the last phone is that phone's when it is shorter than this (MFA itself stretches by two frames).
_TAIL_S = 0.02

#: A silence shorter than the frame of every aligner in use is a rounding error between two intervals.
_SHORTEST_SILENCE_S = 0.0095


class GivenAligner:
    """Reads the TextGrid or the durations of an utterance; where they are looked for: see `GivenOptions`.

    The words of a TextGrid must be those of the text (`speechkd.align.given_words`). Its phones may be another
    pronunciation: it is adopted, so `Alignment.phones` holds what was said, or refused, as the options say. A TextGrid
    without words must have the phones of the text.
    """

    def __init__(self, options: GivenOptions) -> None:
        self._options = options

    def align(
        self, samples: NDArray[np.float32], sample_rate: int, tokens: Tokens, *, utterance_id: str = ""
    ) -> Alignment:
        """The alignment given for `utterance_id`, with the words of `tokens`; raises `DataError` with file and why."""
        duration_s = len(samples) / sample_rate
        path = _find_textgrid(self._options.folder, utterance_id)
        if path is not None:
            return self._from_textgrid(path, tokens, duration_s)
        durations = find_durations(self._options, utterance_id)
        if durations is not None:
            return align_durations(durations, tokens, duration_s, sample_rate)
        raise _missing(self._options.folder, utterance_id)

    def _from_textgrid(self, path: Path, tokens: Tokens, duration_s: float) -> Alignment:
        where = str(path)
        given = _fit(read_textgrid(path), duration_s, where)
        refuse_unknown(given, tokens.words, where)
        if given.words and self._options.pronunciations == "adopt":
            adopted = adopt_phones(given, tokens, where).check(where)
            return relabelled(adopted, respelled(tokens, adopted))
        expected = [phone for phone, _ in token_phones(tokens)]
        check_same_phones([phone.label for phone in given.spoken_phones()], expected, where)
        names = iter(expected)
        phones = tuple(
            phone if phone.label == SILENCE else Interval(phone.start_s, phone.end_s, next(names))
            for phone in given.phones
        )
        spoken = [phone for phone in phones if phone.label != SILENCE]
        return Alignment(words_from_phones(spoken, tokens), phones, duration_s).check(where)


def _find_textgrid(folder: Path, utterance_id: str) -> Path | None:
    """`<folder>/<id>.TextGrid`, or the only one a folder further down (MFA makes one per speaker)."""
    name = f"{utterance_id}.TextGrid"
    if (folder / name).is_file():
        return folder / name
    if not folder.is_dir():
        raise DataError("The folder of alignments is missing", where=str(folder), todo="Check align.folder.")
    deeper = sorted(each / name for each in folder.iterdir() if each.is_dir() and (each / name).is_file())
    if len(deeper) > 1:
        why = f"{deeper[0]} and {deeper[1]}"
        raise DataError(f"Several TextGrids are called {name}", where=str(folder), why=why, todo="Keep one of them.")
    return deeper[0] if deeper else None


def _missing(folder: Path, utterance_id: str) -> DataError:
    reasons = folder / REASONS_FILE
    if reasons.is_file():
        try:
            known = json.loads(reasons.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            return DataError("Cannot read why TextGrids are missing", where=str(reasons), why=str(error))
        if isinstance(known, dict) and utterance_id in known:
            return DataError(str(known[utterance_id]), where=utterance_id)
    find_textgrids(folder)  # says so when they are packed
    what = f"No alignment of {utterance_id} was found"
    why = f"there is no {utterance_id}.TextGrid, {utterance_id}.json, {utterance_id}.npy or line in durations.jsonl"
    return DataError(what, where=str(folder), why=why, todo="Add it, or leave the utterance out.")


def _fit(given: Alignment, duration_s: float, where: str) -> Alignment:
    """The alignment with exactly the length of the recording and without silences that are rounding errors."""
    if abs(given.duration_s - duration_s) > _LENGTH_TOLERANCE_S:
        why = f"it covers {given.duration_s:.3f} s, the recording {duration_s:.3f} s"
        raise DataError("The TextGrid is of another recording", where=where, why=why)
    phones = _without_slivers(given.phones)
    while len(phones) > 1 and phones[-1].label == SILENCE and phones[-1].start_s >= duration_s:
        phones.pop()
    last = phones[-1]
    if last.start_s >= duration_s:
        why = f"phone {last.label} starts at {last.start_s:.3f} s, the recording ends at {duration_s:.3f} s"
        raise DataError("The TextGrid is of another recording", where=where, why=why)
    if last.label != SILENCE and duration_s - last.end_s > _TAIL_S:
        phones.append(Interval(last.end_s, duration_s, SILENCE))
    else:
        phones[-1] = Interval(last.start_s, duration_s, last.label)
    return Alignment(given.words, tuple(phones), duration_s)


def _without_slivers(phones: tuple[Interval, ...]) -> list[Interval]:
    """The phones; a silence below a frame is given to the phone before it, at the start to the one after it."""
    kept: list[Interval] = []
    start_s: float | None = None
    for phone in phones:
        sliver = phone.label == SILENCE and phone.duration_s < _SHORTEST_SILENCE_S
        if sliver and kept:
            kept[-1] = Interval(kept[-1].start_s, phone.end_s, kept[-1].label)
        elif sliver and len(phones) > 1:
            start_s = phone.start_s
        else:
            kept.append(Interval(phone.start_s if start_s is None else start_s, phone.end_s, phone.label))
            start_s = None
    return kept
