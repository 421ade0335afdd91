"""How much frames vary that share a label: what knowing the label leaves open."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError

Array = npt.NDArray[np.float64]


class WithinLabels:
    """Takes in frames with a label each, and gives the deviation of a frame from the mean of its label, per bin.

    With S(l) frames of label l and mean μ(l, k) in bin k: within²(k) = Σ_l Σ_{f of l} (y(f, k) - μ(l, k))² / Σ_l S(l).
    This is the part of the variance that the label does not explain: total² = within² + between².
    """

    def __init__(self, n_labels: int, n_bins: int) -> None:
        self._counts = np.zeros(n_labels)
        self._sums = np.zeros((n_labels, n_bins))
        self._squares = np.zeros(n_bins)
        self._shift: Array | None = None

    def add(self, frames: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Take in frames (F, n_bins) with their labels (F,), numbers from 0."""
        values, places = np.asarray(frames, dtype=np.float64), np.asarray(labels)
        if len(values) != len(places):
            raise DataError(f"{len(values)} frames but {len(places)} labels")
        if self._shift is None:
            # Sums of squares far from zero lose digits; the first frames are near enough to the middle.
            self._shift = values.mean(axis=0)
        values = values - self._shift
        self._counts += np.bincount(places, minlength=len(self._counts))
        np.add.at(self._sums, places, values)
        self._squares += np.square(values).sum(axis=0)

    @property
    def n_frames(self) -> int:
        """Frames taken in."""
        return int(self._counts.sum())

    def within(self) -> Array:
        """Deviation of the frames from the mean of their label, (n_bins,); DataError without frames."""
        explained = (np.square(self._sums) / np.maximum(self._counts, 1.0)[:, None]).sum(axis=0)
        return np.sqrt(np.maximum(self._squares - explained, 0.0) / self._checked())

    def total(self) -> Array:
        """Deviation of the frames from the mean of all, (n_bins,); DataError without frames."""
        count = self._checked()
        return np.sqrt(np.maximum(self._squares / count - np.square(self._sums.sum(axis=0) / count), 0.0))

    def _checked(self) -> float:
        if not self.n_frames:
            raise DataError("there are no frames to measure")
        return float(self._counts.sum())
