"""Dynamic time warping between two feature sequences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def euclidean_cost(a: Matrix, b: Matrix) -> Matrix:
    """Distance of every frame of a (N, D) to every frame of b (M, D): (N, M)."""
    squared = np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None] - 2.0 * (a @ b.T)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def accumulate(cost: Matrix) -> Matrix:
    """Least sum of costs over all paths from (0, 0) to each cell, steps (1,1), (1,0), (0,1): (N, M)."""
    n, m = cost.shape
    # One row and column of infinity in front spare the border cases.
    total = np.full((n + 1, m + 1), np.inf)
    total[0, 0] = 0.0
    # Cells of one anti-diagonal do not depend on each other.
    for diagonal in range(n + m - 1):
        i = np.arange(max(0, diagonal - m + 1), min(diagonal, n - 1) + 1)
        j = diagonal - i
        best = np.minimum(np.minimum(total[i, j], total[i, j + 1]), total[i + 1, j])
        total[i + 1, j + 1] = cost[i, j] + best
    return total[1:, 1:]


def warping_path(cost: Matrix) -> tuple[Indices, Indices]:
    """The cheapest path through cost (N, M) from corner to corner: row and column indices, in rising order.

    Of equal steps the diagonal one wins.
    """
    total = accumulate(cost)
    i, j = total.shape[0] - 1, total.shape[1] - 1
    path = [(i, j)]
    while i or j:
        if i and j:
            choices = (total[i - 1, j - 1], total[i, j - 1], total[i - 1, j])
            di, dj = ((1, 1), (0, 1), (1, 0))[int(np.argmin(choices))]
        else:
            di, dj = (1, 0) if i else (0, 1)
        i, j = i - di, j - dj
        path.append((i, j))
    rows, columns = np.array(path[::-1], dtype=np.int64).T
    return rows, columns
