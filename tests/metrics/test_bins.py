"""NDB and Jensen-Shannon divergence against scipy and against shares counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from speechkd.errors import DataError
from speechkd.metrics.bins import Bins, different_bins, jensen_shannon

RNG = np.random.default_rng(0)
PLACES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def drawn(shares: list[float], count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return PLACES[rng.choice(3, count, p=shares)] + rng.normal(0, 0.5, (count, 2))


def test_every_row_is_counted_where_it_is_nearest() -> None:
    bins = Bins.fitted(drawn([0.5, 0.3, 0.2], 600, 0), 3, seed=1)
    rows = drawn([0.2, 0.2, 0.6], 300, 1)
    nearest = ((rows[:, None] - bins.centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert bins.counts(rows).tolist() == [int((nearest == place).sum()) for place in range(3)]
    for centre in bins.centres:  # each cluster is found
        assert np.abs(PLACES - centre).max(axis=1).min() < 0.3
    np.testing.assert_array_equal(bins.centres, Bins.fitted(drawn([0.5, 0.3, 0.2], 600, 0), 3, seed=1).centres)


def test_divergence_is_scipys_and_its_ends() -> None:
    for _ in range(5):
        p, q = RNG.integers(0, 40, 50), RNG.integers(0, 40, 50)
        assert jensen_shannon(p, q) == pytest.approx(float(jensenshannon(p, q, base=2)) ** 2)
    assert jensen_shannon(np.array([3, 1, 0]), np.array([6, 2, 0])) == pytest.approx(0.0, abs=1e-12)
    assert jensen_shannon(np.array([5, 0]), np.array([0, 7])) == pytest.approx(1.0)


def test_bins_that_differ_by_the_textbook() -> None:
    """Of 1,000: 500 against 456 is z = 1.970 and 400 against 444 is 1.992; with 457 and 443 it is 1.925 and 1.947."""
    assert different_bins(np.array([500, 400, 100]), np.array([456, 444, 100])) == 2
    assert different_bins(np.array([500, 400, 100]), np.array([457, 443, 100])) == 0
    assert different_bins(np.array([5, 0]), np.array([5, 0])) == 0


def test_equal_sources_differ_in_one_bin_of_twenty() -> None:
    counts = [np.random.default_rng(seed).multinomial(5000, [1 / 20] * 20) for seed in range(200)]
    different = [different_bins(a, b) for a, b in zip(counts[::2], counts[1::2], strict=True)]
    assert 0.6 < float(np.mean(different)) < 1.4


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="2 rows cannot fill 3 bins"):
        Bins.fitted(PLACES[:2], 3)
    with pytest.raises(DataError, match="without rows"):
        jensen_shannon(np.array([1, 2]), np.array([0, 0]))
