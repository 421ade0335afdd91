"""Looking over an alignment that nothing can be compared with: its pauses, and the utterances that look wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechkd.align.matching import without_stress
from speechkd.align.textgrid import find_textgrids, read_textgrid
from speechkd.align.types import SILENCE, Alignment, Interval
from speechkd.errors import DataError

#: An utterance is judged by this many of its strangest phones: one alone may be a drawl.
_JUDGED_PHONES = 3
#: Logarithms of durations spread at least this much, so that a rare phone is not strange for want of examples.
_LEAST_DEVIATION = 0.25
_FEW_EXAMPLES = 5


@dataclass(frozen=True)
class Pauses:
    """Silences of one place (before, between or after the words): how many, and their lengths in seconds."""

    count: int
    total_s: float
    median_s: float
    p95_s: float
    longest_s: float
    longest_id: str


@dataclass(frozen=True)
class Strange:
    """An utterance with phones of unlikely length; `deviations` is the mean of its largest |z| of log durations."""

    id: str
    deviations: float
    phone: str
    word: str
    start_s: float
    end_s: float

    def __str__(self) -> str:
        length_ms = (self.end_s - self.start_s) * 1000
        return f"{self.id}: {self.phone} of {self.word!r} lasts {length_ms:.0f} ms at {self.start_s:.2f} s"


@dataclass(frozen=True)
class Inspection:
    """What a folder of TextGrids looks like. `strangest` are all utterances, the strangest first."""

    utterances: int
    speech_s: float
    phones_per_second: float
    before: Pauses | None
    between: Pauses | None
    after: Pauses | None
    strangest: tuple[Strange, ...]
    pause_lengths_s: Mapping[str, tuple[float, ...]]

    def to_json(self) -> dict[str, object]:
        """A JSON-ready form without the single lengths."""
        plain = asdict(self)
        del plain["pause_lengths_s"]
        return plain


def inspect_alignments(folder: Path, ids: Collection[str] | None = None) -> Inspection:
    """Read the TextGrids of `folder`, all or those of `ids`. Raises `DataError` for a broken one, or when none is."""
    paths = {name: path for name, path in find_textgrids(folder).items() if ids is None or name in ids}
    if not paths:
        todo = "Align a corpus into it first."
        raise DataError("No TextGrid to look at", where=str(folder), todo=todo)
    grids = {name: read_textgrid(path) for name, path in paths.items()}
    pauses = {place: list(_pauses(grids, place)) for place in ("before", "between", "after")}
    spoken_s = sum(phone.duration_s for grid in grids.values() for phone in grid.spoken_phones())
    n_phones = sum(len(grid.spoken_phones()) for grid in grids.values())
    return Inspection(
        utterances=len(grids),
        speech_s=spoken_s,
        phones_per_second=n_phones / spoken_s if spoken_s else 0.0,
        **{place: _summary(found) for place, found in pauses.items()},
        strangest=_strangest(grids),
        pause_lengths_s={place: tuple(length for _, length in found) for place, found in pauses.items()},
    )


def _pauses(grids: Mapping[str, Alignment], place: str) -> Iterator[tuple[str, float]]:
    """(id, length in seconds) of the silences before the first word, between the words, or after the last."""
    for name, grid in grids.items():
        last = len(grid.phones) - 1
        for index, phone in enumerate(grid.phones):
            here = "before" if index == 0 else "after" if index == last else "between"
            if phone.label == SILENCE and here == place:
                yield name, phone.duration_s


def _summary(found: list[tuple[str, float]]) -> Pauses | None:
    if not found:
        return None
    lengths = np.array([length for _, length in found])
    longest = int(lengths.argmax())
    return Pauses(
        count=len(found),
        total_s=float(lengths.sum()),
        median_s=float(np.median(lengths)),
        p95_s=float(np.percentile(lengths, 95)),
        longest_s=float(lengths[longest]),
        longest_id=found[longest][0],
    )


def _strangest(grids: Mapping[str, Alignment]) -> tuple[Strange, ...]:
    usual = _usual_lengths(grids)
    found = [_strangeness(name, grid, usual) for name, grid in grids.items() if grid.spoken_phones()]
    return tuple(sorted(found, key=lambda each: (-each.deviations, each.id)))


def _usual_lengths(grids: Mapping[str, Alignment]) -> dict[str, tuple[float, float]]:
    """Median and robust deviation of the log durations of each phone; those of all phones stand under ""."""
    logs: dict[str, list[float]] = {}
    for grid in grids.values():
        for phone in grid.spoken_phones():
            for key in (without_stress(phone.label), ""):
                logs.setdefault(key, []).append(float(np.log(phone.duration_s)))
    return {key: _centre(np.array(values)) for key, values in logs.items() if len(values) >= _FEW_EXAMPLES or not key}


def _centre(values: NDArray[np.float64]) -> tuple[float, float]:
    median = float(np.median(values))
    # 1.4826 makes the median deviation that of a normal distribution.
    return median, max(1.4826 * float(np.median(np.abs(values - median))), _LEAST_DEVIATION)


def _strangeness(name: str, grid: Alignment, usual: Mapping[str, tuple[float, float]]) -> Strange:
    phones = grid.spoken_phones()
    deviations = np.array([_deviation(phone, usual) for phone in phones])
    order = np.argsort(-deviations, kind="stable")
    worst = phones[int(order[0])]
    word = next((each.label for each in grid.words if each.start_s <= worst.start_s < each.end_s), "")
    judged = float(deviations[order[:_JUDGED_PHONES]].mean())
    return Strange(name, judged, worst.label, word, worst.start_s, worst.end_s)


def _deviation(phone: Interval, usual: Mapping[str, tuple[float, float]]) -> float:
    median, spread = usual.get(without_stress(phone.label), usual[""])
    return abs(float(np.log(phone.duration_s)) - median) / spread
