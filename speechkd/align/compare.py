"""How far two alignments of the same recordings lie apart: at words, at phones, and around pauses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechkd.align.compare_boundaries import (
    PhoneBoundary,
    matched_words,
    pauses,
    phone_boundaries,
    phone_class,
    shared_phones,
)
from speechkd.align.textgrid import find_textgrids, read_textgrid
from speechkd.align.types import Alignment
from speechkd.errors import DataError


@dataclass(frozen=True)
class BoundaryErrors:
    """Differences (other - reference) at boundaries, in milliseconds; `within_*` are shares of 1."""

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

    @classmethod
    def of_any(cls, errors_s: Sequence[float]) -> BoundaryErrors | None:
        """The figures, or None when there is nothing to measure."""
        return cls.of(np.asarray(errors_s, np.float64)) if errors_s else None


@dataclass(frozen=True)
class PauseErrors:
    """Pauses of at least 0.1 s in the reference: how many the other has, and the errors at their edges.

    `added` counts the pauses of at least 0.1 s that the other has where the reference has none.
    """

    in_reference: int
    found: int
    added: int
    starts: BoundaryErrors | None
    ends: BoundaryErrors | None


@dataclass(frozen=True)
class UtteranceError:
    """The mean size of the errors at the words of one utterance, in milliseconds."""

    id: str
    mean_ms: float


@dataclass(frozen=True)
class Comparison:
    """The figures, and what could not be compared.

    `phones`: every boundary next to a phone that both have, counted once; None where the phones are not of one kind.
    `by_class`: the same by the class of the phone "before" or "after" the boundary. `utterances_without_phones`: those
    left out of phones and pauses, because one of the two has a word without pronunciation (`spn`). `worst`: all
    utterances, those with the largest errors first.
    """

    starts: BoundaryErrors
    ends: BoundaryErrors
    both: BoundaryErrors
    phones: BoundaryErrors | None
    by_class: dict[str, BoundaryErrors]
    pauses: PauseErrors | None
    worst: tuple[UtteranceError, ...]
    utterances: int
    utterances_without_phones: int
    words_unmatched: int
    phones_unmatched: int
    only_in_reference: tuple[str, ...]
    only_in_other: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return asdict(self)


def compare_alignments(reference: Path, other: Path) -> Comparison:
    """Compare two folders of TextGrids by file name.

    Raises `DataError` for a broken TextGrid or when nothing is shared. Words are matched by their text, case apart;
    those that stand in one of the two only (another normalisation, MFA's `<unk>`) are counted, not compared.
    """
    paths = [find_textgrids(folder) for folder in (reference, other)]
    shared = sorted(paths[0].keys() & paths[1].keys())
    triples = ((name, read_textgrid(paths[0][name]), read_textgrid(paths[1][name])) for name in shared)
    alone = [tuple(sorted(a.keys() - b.keys())) for a, b in (paths, paths[::-1])]
    return compare_pairs(triples, where=f"{reference} and {other}", alone=(alone[0], alone[1]))


def compare_pairs(
    triples: Iterable[tuple[str, Alignment, Alignment]],
    where: str | None = None,
    alone: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
) -> Comparison:
    """Compare alignments given as (id, reference, other); `alone` are the ids that stand in one of the two only."""
    tally = _Tally()
    for name, reference, other in triples:
        tally.add(name, reference, other)
    if not tally.words:
        why = f"{tally.utterances} TextGrids have the same name in both folders"
        raise DataError("No word is in both alignments", where=where, why=why)
    return tally.comparison(alone)


class _Tally:
    def __init__(self) -> None:
        self.utterances = self.without_phones = self.words_unmatched = self.phones_unmatched = 0
        self.words: list[tuple[float, float]] = []
        self.phones: list[PhoneBoundary] = []
        self.pauses: list[tuple[float | None, float | None]] = []
        self.added = 0
        self.worst: list[UtteranceError] = []

    def add(self, name: str, reference: Alignment, other: Alignment) -> None:
        self.utterances += 1
        pairs = matched_words(reference, other)
        self.words_unmatched += len(reference.words) + len(other.words) - 2 * len(pairs)
        errors = [(b.start_s - a.start_s, b.end_s - a.end_s) for a, b in pairs]
        self.words += errors
        if errors:
            self.worst.append(UtteranceError(name, float(np.mean(np.abs(errors))) * 1000))
        if any(phone.label == "spn" for each in (reference, other) for phone in each.phones):
            self.without_phones += 1
            return
        shared = shared_phones(reference, other)
        self.phones_unmatched += len(reference.spoken_phones()) + len(other.spoken_phones()) - 2 * len(shared)
        self.phones += phone_boundaries(reference, other, shared)
        self.pauses += pauses(reference, other, shared)
        self.added += sum(
            found == (None, None) for found in pauses(other, reference, {b: a for a, b in shared.items()})
        )

    def comparison(self, alone: tuple[tuple[str, ...], tuple[str, ...]]) -> Comparison:
        table = np.asarray(self.words)
        return Comparison(
            starts=BoundaryErrors.of(table[:, 0]),
            ends=BoundaryErrors.of(table[:, 1]),
            both=BoundaryErrors.of(table.reshape(-1)),
            phones=BoundaryErrors.of_any([each.error_s for each in self.phones]),
            by_class=self._by_class(),
            pauses=self._pauses(),
            worst=tuple(sorted(self.worst, key=lambda each: (-each.mean_ms, each.id))),
            utterances=self.utterances,
            utterances_without_phones=self.without_phones,
            words_unmatched=self.words_unmatched,
            phones_unmatched=self.phones_unmatched,
            only_in_reference=alone[0],
            only_in_other=alone[1],
        )

    def _by_class(self) -> dict[str, BoundaryErrors]:
        groups: dict[str, list[float]] = {}
        for each in self.phones:
            groups.setdefault(f"before: {phone_class(each.left)}", []).append(each.error_s)
            groups.setdefault(f"after: {phone_class(each.right)}", []).append(each.error_s)
        return {name: BoundaryErrors.of(np.asarray(groups[name])) for name in sorted(groups)}

    def _pauses(self) -> PauseErrors | None:
        if self.utterances == self.without_phones:
            return None
        starts, ends = ([error for error in side if error is not None] for side in _columns(self.pauses))
        found = sum(pair != (None, None) for pair in self.pauses)
        figures = (BoundaryErrors.of_any(starts), BoundaryErrors.of_any(ends))
        return PauseErrors(len(self.pauses), found, self.added, *figures)


def _columns(pairs: Sequence[tuple[float | None, float | None]]) -> tuple[list[float | None], list[float | None]]:
    return [first for first, _ in pairs], [second for _, second in pairs]
