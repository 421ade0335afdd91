"""How far two alignments of the same recordings lie apart, at the boundaries of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechkd.align.textgrid import read_textgrid
from speechkd.align.types import Alignment, Interval
from speechkd.errors import DataError


@dataclass(frozen=True)
class BoundaryErrors:
    """Differences (other - reference) at word boundaries, in milliseconds; `within_*` are shares of 1."""

    boundaries: int
    mean_ms: float
    median_ms: float
    bias_ms: float
    within_10_ms: float
    within_20_ms: float
    within_50_ms: float

    @classmethod
    def of(cls, errors_s: NDArray[np.float64]) -> BoundaryErrors:
        """The figures of `errors_s` (N,), N >= 1, in seconds."""
        # Times come in whole frames: without rounding, 20 ms would be a hair above 20 ms half of the time.
        errors_ms = np.round(errors_s * 1000, 3)
        size = np.abs(errors_ms)
        shares = [float(np.mean(size <= limit)) for limit in (10, 20, 50)]
        return cls(size.size, float(size.mean()), float(np.median(size)), float(errors_ms.mean()), *shares)


@dataclass(frozen=True)
class Comparison:
    """The figures for word starts, word ends and both, and what could not be compared."""

    starts: BoundaryErrors
    ends: BoundaryErrors
    both: BoundaryErrors
    utterances: int
    words_unmatched: int
    only_in_reference: tuple[str, ...]
    only_in_other: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """A JSON-ready form."""
        return asdict(self)


def compare_alignments(reference: Path, other: Path) -> Comparison:
    """Compare two folders of TextGrids by file name.

    Words are matched by their text, case apart; those that stand in one of the two only (another normalisation, MFA's
    `<unk>`) are counted, not compared. Raises `DataError` for a broken TextGrid or when nothing is shared.
    """
    paths = [{path.stem: path for path in sorted(folder.glob("*.TextGrid"))} for folder in (reference, other)]
    shared = sorted(paths[0].keys() & paths[1].keys())
    errors: list[tuple[float, float]] = []
    unmatched = 0
    for name in shared:
        first, second = read_textgrid(paths[0][name]), read_textgrid(paths[1][name])
        pairs = list(_matched_words(first, second))
        unmatched += len(first.words) + len(second.words) - 2 * len(pairs)
        errors += [(b.start_s - a.start_s, b.end_s - a.end_s) for a, b in pairs]
    if not errors:
        why = f"{len(shared)} TextGrids have the same name in both folders"
        raise DataError("No word is in both alignments", where=f"{reference} and {other}", why=why)
    table = np.asarray(errors)
    return Comparison(
        starts=BoundaryErrors.of(table[:, 0]),
        ends=BoundaryErrors.of(table[:, 1]),
        both=BoundaryErrors.of(table.reshape(-1)),
        utterances=len(shared),
        words_unmatched=unmatched,
        only_in_reference=tuple(sorted(paths[0].keys() - paths[1].keys())),
        only_in_other=tuple(sorted(paths[1].keys() - paths[0].keys())),
    )


def _matched_words(first: Alignment, second: Alignment) -> Iterator[tuple[Interval, Interval]]:
    matcher = SequenceMatcher(None, _texts(first.words), _texts(second.words), autojunk=False)
    for at_first, at_second, length in matcher.get_matching_blocks():
        yield from zip(
            first.words[at_first : at_first + length], second.words[at_second : at_second + length], strict=True
        )


def _texts(words: Sequence[Interval]) -> list[str]:
    return [word.label.casefold() for word in words]
