"""Statistics of a stream that do not depend, to the last bit, on its order or on how it was cut.

Sums of floating-point numbers depend on their order; sums of integers do not. Every value is therefore rounded, by
itself, to a multiple of 2^-40, and summed as an integer. Memory does not grow with the stream.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError

Doubles = npt.NDArray[np.float64]

_FRACTION_BITS = 40
_LIMB_BITS = 32
# The sum of this many squares, in two limbs, fits into 64 bits each.
_LARGEST = 2.0**17
_ROWS = 2**20
_CENTS_PER_OCTAVE = 1200


class RunningStatistics:
    """Count, mean, deviation and extremes of `size` columns.

    `a.add(x); a.add(y)` equals `a.add(y); a.add(x)` equals `a.add(x); b.add(y); a.merge(b)`, bit by bit. Means are the
    exact means of the rounded values: they differ from those of the values by less than 1e-12.
    """

    def __init__(self, size: int = 1) -> None:
        self.size, self.count = size, 0
        self._sums, self._squares = [0] * size, [0] * size
        self.minimum: Doubles = np.full(size, np.inf)
        self.maximum: Doubles = np.full(size, -np.inf)

    def add(self, values: npt.NDArray[Any]) -> None:
        """Take in rows (N, size), or (N,) for one column. DataError for values that are no feature's (NaN, 1e9)."""
        # Which of 0 and -0 is the minimum would depend on their order: adding 0 makes them one.
        rows = np.asarray(values, dtype=np.float64).reshape(-1, self.size) + 0.0
        if not (np.abs(rows) <= _LARGEST).all():
            raise DataError(
                "a feature is not a number, or out of all proportion",
                why=f"{int((~(np.abs(rows) <= _LARGEST)).sum())} of {rows.size} values are not within ±{_LARGEST:g}",
                todo="look at the recording: it may be damaged",
            )
        for start in range(0, len(rows), _ROWS):
            self._add(rows[start : start + _ROWS])

    def _add(self, rows: Doubles) -> None:
        self.count += len(rows)
        self._sums = [a + b for a, b in zip(self._sums, _exact_sums(rows), strict=True)]
        self._squares = [a + b for a, b in zip(self._squares, _exact_sums(rows * rows), strict=True)]
        self._extend(rows.min(axis=0), rows.max(axis=0))

    def _extend(self, minimum: Doubles, maximum: Doubles) -> None:
        self.minimum, self.maximum = np.minimum(self.minimum, minimum), np.maximum(self.maximum, maximum)

    def merge(self, other: RunningStatistics) -> None:
        """Take in what another has seen. ValueError for another number of columns."""
        if other.size != self.size:
            raise ValueError(f"{other.size} columns cannot be merged into {self.size}")
        self.count += other.count
        self._sums = [a + b for a, b in zip(self._sums, other._sums, strict=True)]
        self._squares = [a + b for a, b in zip(self._squares, other._squares, strict=True)]
        self._extend(other.minimum, other.maximum)

    def to_json(self) -> dict[str, Any]:
        """All that was seen, as JSON can hold it, to the last bit."""
        extremes = {"minimum": self.minimum.tolist(), "maximum": self.maximum.tolist()} if self.count else {}
        return {"size": self.size, "count": self.count, "sums": self._sums, "squares": self._squares, **extremes}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunningStatistics:
        """Undo `to_json`."""
        made = cls(data["size"])
        made.count, made._sums, made._squares = data["count"], list(data["sums"]), list(data["squares"])
        if made.count:
            made._extend(np.asarray(data["minimum"]), np.asarray(data["maximum"]))
        return made

    @property
    def mean(self) -> Doubles:
        """Mean of each column: (size,); NaN if nothing was seen."""
        if not self.count:
            return np.full(self.size, np.nan)
        # The quotient of two integers is the correctly rounded one, however long they are.
        return np.array([total / (self.count << _FRACTION_BITS) for total in self._sums])

    @property
    def deviation(self) -> Doubles:
        """Standard deviation (of the population) of each column: (size,); NaN if nothing was seen."""
        if not self.count:
            return np.full(self.size, np.nan)
        pairs = zip(self._sums, self._squares, strict=True)
        spread = [max(0, self.count * (square << _FRACTION_BITS) - total**2) for total, square in pairs]
        return np.sqrt([each / (self.count**2 << 2 * _FRACTION_BITS) for each in spread])


def _exact_sums(rows: Doubles) -> list[int]:
    """Column sums of rows (N, size), each value as a whole number of 2^-40: exact, for N up to 2^20."""
    units = np.rint(np.ldexp(rows, _FRACTION_BITS))
    if float(np.abs(units).max()) * len(units) < 2.0**62:
        return list(units.astype(np.int64).sum(axis=0).tolist())
    high = np.floor(np.ldexp(units, -_LIMB_BITS))
    low = units - np.ldexp(high, _LIMB_BITS)
    limbs = (limb.astype(np.int64).sum(axis=0).tolist() for limb in (high, low))
    return [(above << _LIMB_BITS) + below for above, below in zip(*limbs, strict=True)]


class PitchHistogram:
    """How often each F0 occurred, in steps of one cent: percentiles to the cent, in memory that does not grow."""

    LOWEST_HZ = 10.0
    OCTAVES = 10

    def __init__(self) -> None:
        self.counts: npt.NDArray[np.int64] = np.zeros(self.OCTAVES * _CENTS_PER_OCTAVE, dtype=np.int64)

    def add(self, f0_hz: npt.NDArray[Any]) -> None:
        """Take in voiced F0 (N,) in Hz; what lies beyond 10 Hz … 10 kHz counts as the outermost cent."""
        cents = _CENTS_PER_OCTAVE * np.log2(np.maximum(f0_hz.astype(np.float64), 1e-3) / self.LOWEST_HZ)
        places = np.clip(np.floor(cents), 0, len(self.counts) - 1).astype(np.int64)
        self.counts += np.bincount(places, minlength=len(self.counts))

    def merge(self, other: PitchHistogram) -> None:
        """Take in what another has seen."""
        self.counts += other.counts

    def bounds_hz(self, tail_per_mille: int) -> tuple[float, float]:
        """The narrowest whole cents with at most this share of all frames below them, and as much above.

        DataError if nothing was seen.
        """
        total = int(self.counts.sum())
        if not total:
            raise DataError("no voiced frame", why="the pitch tracker found no speech in any utterance")
        most = total * tail_per_mille // 1000
        first = int((np.cumsum(self.counts) > most).argmax())
        last = len(self.counts) - 1 - int((np.cumsum(self.counts[::-1]) > most).argmax())
        return self._edge_hz(first), self._edge_hz(last + 1)

    def _edge_hz(self, place: int) -> float:
        return float(self.LOWEST_HZ * 2.0 ** (place / _CENTS_PER_OCTAVE))
