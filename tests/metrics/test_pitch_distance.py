"""The distance of contours against a search through all paths."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.metrics.pitch_distance import pitch_dtw_hz


def all_paths(n: int, m: int, at: tuple[int, int] = (0, 0)) -> list[list[tuple[int, int]]]:
    if at == (n - 1, m - 1):
        return [[at]]
    steps = [(at[0] + di, at[1] + dj) for di, dj in ((1, 1), (1, 0), (0, 1))]
    return [[at, *rest] for i, j in steps if i < n and j < m for rest in all_paths(n, m, (i, j))]


def test_it_is_the_mean_along_the_cheapest_of_all_paths() -> None:
    draw = np.random.default_rng(2)
    for _ in range(5):
        a, b = draw.uniform(100, 300, 4), draw.uniform(100, 300, 5)
        costs = [[abs(a[i] - b[j]) for i, j in path] for path in all_paths(4, 5)]
        assert pitch_dtw_hz(a, b) == pytest.approx(np.mean(min(costs, key=sum)))


def test_pauses_and_timing_do_not_count() -> None:
    contour = np.array([200.0, 210.0, 220.0])
    slower = np.repeat(contour, 3)
    assert pitch_dtw_hz(contour, np.concatenate([[0, 0], slower, [0]])) == 0
    assert pitch_dtw_hz(contour, slower + 7) > 0
    assert pitch_dtw_hz([150.0] * 9, [160.0] * 4) == pytest.approx(10.0)


def test_silence() -> None:
    with pytest.raises(DataError, match="voiced"):
        pitch_dtw_hz([0.0, 0.0], [100.0])
