"""Moments against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from speechkd.errors import DataError
from speechkd.metrics.moments import moments


@pytest.mark.parametrize("shape", ["normal", "skewed", "two humps"])
def test_moments_are_scipys(shape: str) -> None:
    draw = np.random.default_rng(3)
    values = {
        "normal": draw.normal(200, 30, 500),
        "skewed": draw.gamma(2.0, 20.0, 501),
        "two humps": np.concatenate([draw.normal(120, 5, 300), draw.normal(240, 5, 200)]),
    }[shape]
    found = moments(values)
    assert found.count == len(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.deviation == pytest.approx(np.std(values))
    assert found.skewness == pytest.approx(scipy.stats.skew(values))
    assert found.excess_kurtosis == pytest.approx(scipy.stats.kurtosis(values))


def test_two_equal_humps_have_the_least_kurtosis() -> None:
    """A coin: m_4 = m_2², so 1 - 3."""
    assert moments([-1.0, 1.0, -1.0, 1.0]).excess_kurtosis == pytest.approx(-2.0)


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0], [1.0, float("nan")], [220.123] * 999])
def test_what_has_no_moments(values: list[float]) -> None:
    with pytest.raises(DataError, match="no moments"):
        moments(values)
