"""Whether samples are spread as the data are: the number of statistically different bins (NDB) and their divergence.

Richardson and Weiss, "On GANs and GMMs", NeurIPS 2018: the space is cut into bins by k-means; of each bin the share of
the samples is compared with that of the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

# Two-sided, at 5 %.
_Z = 1.959964


@dataclass(frozen=True)
class Bins:
    """Cells around centres (K, D): a row belongs to the nearest."""

    centres: Array

    @classmethod
    def fitted(cls, rows: npt.ArrayLike, count: int, seed: int = 0) -> Bins:
        """K-means (begun by k-means++) of rows (N, D). Raises DataError for fewer rows than bins."""
        from scipy.cluster.vq import kmeans2

        data = np.asarray(rows, dtype=np.float64)
        if len(data) < count:
            raise DataError(f"{len(data)} rows cannot fill {count} bins")
        centres, _ = kmeans2(data, count, iter=50, minit="++", seed=np.random.default_rng(seed))
        return cls(np.asarray(centres))

    def counts(self, rows: npt.ArrayLike) -> Counts:
        """How many of the rows (N, D) lie in each bin: (K,)."""
        from scipy.cluster.vq import vq

        places, _ = vq(np.asarray(rows, dtype=np.float64), self.centres)
        return np.bincount(places, minlength=len(self.centres))


def different_bins(data: Counts, samples: Counts) -> int:
    """NDB: the bins whose share of the samples differs from that of the data, by a z-test of two proportions at 5 %.

    data, samples: counts (K,). The test takes rows for independent; frames of a mel are not, so that it finds too many
    differences, in all systems alike.
    """
    n, m = _checked(data, samples)
    pooled = (data + samples) / (n + m)
    deviation = np.sqrt(pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m))
    return int(np.count_nonzero(np.abs(data / n - samples / m) > _Z * deviation))


def jensen_shannon(data: Counts, samples: Counts) -> float:
    """Jensen-Shannon divergence of two histograms (K,), in bits: 0 for equal shares, 1 for none in common."""
    n, m = _checked(data, samples)
    p, q = data / n, samples / m
    middle = (p + q) / 2.0
    return float(0.5 * (_divergence(p, middle) + _divergence(q, middle)))


def _checked(data: Counts, samples: Counts) -> tuple[float, float]:
    n, m = float(data.sum()), float(samples.sum())
    if not (n and m):
        raise DataError("bins without rows cannot be compared")
    return n, m


def _divergence(p: Array, q: Array) -> float:
    there = p > 0
    return float(np.sum(p[there] * np.log2(p[there] / q[there])))
