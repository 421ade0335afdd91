"""Boundaries in the middle of where they may be: the posterior of every boundary around the best path."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from speechkd.align.refine_path import Span, Unit

Doubles = NDArray[np.float64]

# A boundary is looked for this far from where the best path has it: keeps the tables small.
_REACH_FRAMES = 40


def placed(
    units: Sequence[Unit], spans: Sequence[Span], n_frames: int, temperature: float, into_silence: float
) -> list[Span]:
    """`spans`, a path of `best_path`, with every inner boundary at the median of its posterior.

    The median has the least expected absolute error, which the most probable path has not. Where a unit that must be
    there goes over into one that may be left out (a phone into a silence), the quantile `into_silence` is taken
    instead. The scores are divided by `temperature`: neighbouring frames say much the same, their sum says it too
    loudly. Which units are left out stays as in `spans`, and so does all of it when no posterior can be computed.
    """
    ends = [span for span in spans if span is not None]
    kept = [unit for unit, span in zip(units, spans, strict=True) if span is not None]
    posteriors = end_posteriors(units, spans, n_frames, temperature)
    if posteriors is None:
        return list(spans)
    cuts = [0, *(_quantile(posterior, 0.5) for posterior in posteriors[:-1]), n_frames]
    for place, (unit, following) in enumerate(pairwise(kept), start=1):
        if unit.skip is None and following.skip is not None:
            wanted = _quantile(posteriors[place - 1], into_silence)
            cuts[place] = min(wanted, cuts[place + 1] - following.min_frames)
    assert len(cuts) == len(ends) + 1
    found = iter(pairwise(cuts))
    return [None if span is None else next(found) for span in spans]


def end_posteriors(
    units: Sequence[Unit], spans: Sequence[Span], n_frames: int, temperature: float
) -> list[Doubles] | None:
    """For every unit of the path, the probability (n_frames + 1,) that it ends at a boundary; None on underflow.

    Forward-backward over segments (Sarawagi and Cohen 2004, section 3.2, with sums for maxima), among the paths that
    leave out the same units.
    """
    tables = [_table(unit, span, temperature) for unit, span in zip(units, spans, strict=True)]
    forward = np.zeros((len(units) + 1, n_frames + 1))
    backward = np.zeros_like(forward)
    forward[0, 0] = backward[-1, n_frames] = 1.0
    for number, (first, table) in enumerate(tables):
        inside = slice(first, first + len(table))
        forward[number + 1, inside] = _normed(_times(forward[number, inside], table))
    for number in range(len(units) - 1, -1, -1):
        first, table = tables[number]
        inside = slice(first, first + len(table))
        backward[number, inside] = _normed(_times(backward[number + 1, inside], table.T))
    both = forward[1:] * backward[1:]
    totals = both.sum(axis=1)
    if not totals.all():
        return None
    return [row / total for row, total, span in zip(both, totals, spans, strict=True) if span is not None]


def _table(unit: Unit, span: Span, temperature: float) -> tuple[int, Doubles]:
    """The first boundary, and up to a factor how probable the unit is by the boundaries of its start and its end.

    One dimension for a unit that is left out: it ends where it starts.
    """
    if span is None:
        assert unit.skip is not None
        return unit.first, _exponential(unit.skip / temperature)
    first, last = max(unit.first, span[0] - _REACH_FRAMES), min(unit.last, span[1] + _REACH_FRAMES)
    inside = slice(first - unit.first, last - unit.first + 1)
    total = np.concatenate([[0.0], np.cumsum(unit.scores[first:last], dtype=np.float64)])
    starting = -total if unit.entry is None else unit.entry[inside] - total
    ending = total if unit.leave is None else unit.leave[inside] + total
    place = np.arange(len(total))
    lengths = place[None, :] - place[:, None]
    scores = np.where(lengths < unit.min_frames, -np.inf, starting[:, None] + ending[None, :])
    if unit.durations is not None:
        known = np.concatenate([unit.durations, np.full(len(place), -np.inf)])
        scores += known[np.maximum(lengths, 0)]
    return first, _exponential(scores / temperature)


def _exponential(logs: NDArray[np.floating]) -> Doubles:
    peak = float(logs.max(initial=-np.inf))
    return np.exp(logs.astype(np.float64) - (peak if np.isfinite(peak) else 0.0))


def _times(state: Doubles, table: Doubles) -> Doubles:
    product: Doubles = state * table if table.ndim == 1 else state @ table
    return product


def _normed(state: Doubles) -> Doubles:
    total = float(state.sum())
    return state / total if total > 0 else state


def _quantile(posterior: Doubles, share: float) -> int:
    return int(np.searchsorted(np.cumsum(posterior), share))
