"""The best way through a known sequence of phones, given what a network hears in every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
#: The frames [start, end) of a unit; None for one that is left out.
Span = tuple[int, int] | None


@dataclass(frozen=True)
class Unit:
    """A phone, or a silence that may be left out, within the frames [first, last) of the recording.

    scores: (T,), added for every frame of the unit. The rest are (last - first + 1,), one value for each of the
    boundaries first .. last: entry, added where the unit begins; leave, added where it ends; skip, added where it is
    left out, None for a unit that must be there. durations: (D,), added for a length of 0, 1, ... D - 1 frames; None:
    any length from `min_frames` on is as good as another.
    """

    scores: Floats
    first: int
    last: int
    min_frames: int
    entry: Floats | None = None
    leave: Floats | None = None
    skip: Floats | None = None
    durations: Floats | None = None


@dataclass
class _Step:
    """Where the best path to each end of a unit began; -1 where an optional unit was left out."""

    first: int
    starts: NDArray[np.int64] = field(repr=False)


def best_path(units: Sequence[Unit], n_frames: int) -> list[Span] | None:
    """The frames [start, end) of every unit on the best path from frame 0 to `n_frames`; None for a unit left out.

    The units follow each other without gaps. None when no path fits. Viterbi over segments instead of frames, so that
    the length of a phone counts (Ostendorf, Digalakis and Kimball 1996, section III).
    """
    best = np.full(n_frames + 1, -np.inf, np.float32)
    best[0] = 0.0
    steps: list[_Step] = []
    for unit in units:
        inside = slice(unit.first, unit.last + 1)
        after = np.full_like(best, -np.inf)
        if unit.skip is not None:
            after[inside] = best[inside] + unit.skip
        starts = np.full(unit.last - unit.first + 1, -1, np.int64)
        if unit.last - unit.first >= unit.min_frames:
            ends, began = _segments(unit, best[inside])
            better = ends > after[inside]
            after[inside][better] = ends[better]
            starts[better] = began[better] + unit.first
        steps.append(_Step(unit.first, starts))
        best = after
    if not np.isfinite(best[n_frames]):
        return None
    return _traced(units, steps, n_frames)


def _segments(unit: Unit, best: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Best score of the unit ending at each of its boundaries, and the place of the boundary where it then begins."""
    total = np.zeros(len(best), np.float32)
    np.cumsum(unit.scores[unit.first : unit.last], out=total[1:])
    began = best - total if unit.entry is None else best + unit.entry - total
    if unit.durations is None:
        ends, starts = _any_length(began, unit.min_frames)
    else:
        ends, starts = _weighed_length(began, unit.durations)
    ends += total
    return ends if unit.leave is None else ends + unit.leave, starts


def _any_length(began: Floats, min_frames: int) -> tuple[Floats, NDArray[np.int64]]:
    ends = np.full_like(began, -np.inf)
    starts = np.zeros(len(began), np.int64)
    highest = np.maximum.accumulate(began[: len(began) - min_frames])
    new = np.concatenate([[True], highest[1:] > highest[:-1]])
    ends[min_frames:] = highest
    starts[min_frames:] = np.maximum.accumulate(np.where(new, np.arange(len(highest)), 0))
    return ends, starts


def _weighed_length(began: Floats, durations: Floats) -> tuple[Floats, NDArray[np.int64]]:
    size = len(began)
    padded = np.full(2 * size, -np.inf, np.float32)
    known = min(len(durations), size)
    padded[size : size + known] = durations[:known]
    place = np.arange(size)
    # Row: start, column: end; a length beyond the table or below zero is minus infinity.
    table = began[:, None] + padded[size + place[None, :] - place[:, None]]
    starts = table.argmax(axis=0)
    return table[starts, place], starts


def _traced(units: Sequence[Unit], steps: Sequence[_Step], n_frames: int) -> list[Span]:
    spans: list[Span] = [None] * len(units)
    end = n_frames
    for number in range(len(units) - 1, -1, -1):
        step = steps[number]
        place = end - step.first
        start = int(step.starts[place]) if 0 <= place < len(step.starts) else -1
        if start >= 0:
            spans[number] = (start, end)
            end = start
    return spans
