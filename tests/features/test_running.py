"""Running statistics against numpy on all data at once, and bit by bit against themselves."""

from __future__ import annotations

import math
import random
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speechkd.errors import DataError
from speechkd.features.running import PitchHistogram, RunningStatistics


def blocks(n: int = 40, size: int = 3) -> list[np.ndarray]:
    """Blocks of different lengths, with columns of very different scale."""
    rng = np.random.default_rng(0)
    scale = np.array([1e-3, 5.0, 3e3])[:size]
    return [rng.normal(scale, scale, (int(rng.integers(1, 90)), size)).astype(np.float32) for _ in range(n)]


def running(parts: list[np.ndarray], size: int = 3) -> RunningStatistics:
    found = RunningStatistics(size)
    for part in parts:
        found.add(part)
    return found


def bits(found: RunningStatistics) -> tuple[object, ...]:
    arrays = (found.mean, found.deviation, found.minimum, found.maximum)
    return (found.count, *(array.tobytes() for array in arrays))


def test_equal_to_numpy_on_everything() -> None:
    parts = blocks()
    found, everything = running(parts), np.concatenate(parts).astype(np.float64)
    assert found.count == len(everything)
    np.testing.assert_allclose(found.mean, everything.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.deviation, everything.std(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(found.minimum, everything.min(axis=0))
    np.testing.assert_array_equal(found.maximum, everything.max(axis=0))


def test_a_small_deviation_on_a_large_mean_is_not_lost() -> None:
    """The sum of squares minus the square of the sum, in floating point, would leave noise (or less than nothing)."""
    values = 30_000 + np.random.default_rng(0).normal(0, 1e-3, 5000)
    naive = (values**2).mean() - values.mean() ** 2
    assert naive <= 0 or abs(np.sqrt(naive) / values.std() - 1) > 0.05
    assert running([values], 1).deviation[0] == pytest.approx(values.std(), rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_no_order_and_no_cut_changes_a_bit(seed: int) -> None:
    parts = blocks()
    expected = bits(running(parts))
    draw = random.Random(seed)
    draw.shuffle(parts)
    rows = np.concatenate(parts)
    cuts = sorted(draw.sample(range(1, len(rows)), 17))
    workers = [RunningStatistics(3) for _ in range(5)]
    for piece in np.split(rows, cuts):
        draw.choice(workers).add(piece)
    draw.shuffle(workers)
    merged = RunningStatistics(3)
    for worker in workers:
        merged.merge(worker)
    assert bits(merged) == expected


def test_floating_point_sums_would_not_do() -> None:
    """What the integers are for: in double precision the same blocks in another order differ."""
    parts = [part.astype(np.float64) for part in blocks(200)]
    sums = set()
    for seed in range(5):
        random.Random(seed).shuffle(parts)
        sums.add(sum(part.sum() for part in parts))
    assert len(sums) > 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-131072, 131072, width=32), min_size=1, max_size=30), st.integers(0, 30))
@example(values=[0.0, -0.0], cut=1)
def test_any_cut_of_any_numbers(values: list[float], cut: int) -> None:
    array = np.array(values)
    one, other = running([array[:cut]], 1), running([array[cut:]], 1)
    other.merge(one)
    assert bits(other) == bits(running([array], 1))
    assert other.mean[0] == pytest.approx(math.fsum(values) / len(values), rel=1e-12, abs=1e-12)
    assert one.mean.shape == (1,)


def test_large_and_small_values_are_summed_exactly() -> None:
    """In one 64-bit number where it fits, in two where it does not; by fractions either way."""
    for largest in (1.0, 131_072.0):
        values = np.random.default_rng(0).uniform(-largest, largest, 700)
        rounded = [Fraction(round(value * 2**40), 2**40) for value in values.tolist()]
        assert running([values], 1).mean[0] == float(sum(rounded) / len(rounded))
        squares = [Fraction(round(value * 2**40), 2**40) for value in (values * values).tolist()]
        variance = sum(squares) / len(squares) - (sum(rounded) / len(rounded)) ** 2
        assert running([values], 1).deviation[0] == np.sqrt(float(variance))


def test_nothing_seen() -> None:
    empty = RunningStatistics(2)
    empty.add(np.zeros((0, 2)))
    assert empty.count == 0 and np.isnan(empty.mean).all() and np.isnan(empty.deviation).all()
    with pytest.raises(DataError, match="no voiced frame"):
        PitchHistogram().bounds_hz(2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e9])
def test_what_is_no_feature_is_refused_with_its_number(bad: float) -> None:
    found = RunningStatistics(2)
    with pytest.raises(DataError, match="not a number") as caught:
        found.add(np.array([[1.0, bad], [2.0, 3.0]]))
    assert "1 of 4 values" in str(caught.value)
    assert found.count == 0


def test_other_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="2 columns"):
        RunningStatistics(3).merge(RunningStatistics(2))


def test_percentiles_are_those_of_numpy_to_the_cent() -> None:
    f0 = np.exp(np.random.default_rng(0).normal(np.log(200), 0.25, 50_000)).astype(np.float32)
    histogram = PitchHistogram()
    histogram.add(f0)
    for tail in (2, 10, 250):
        expected = np.percentile(f0, [tail / 10, 100 - tail / 10])
        assert np.abs(1200 * np.log2(np.array(histogram.bounds_hz(tail)) / expected)).max() < 4


def test_the_bounds_hold_all_but_the_tails() -> None:
    f0 = np.random.default_rng(1).uniform(100, 300, 5000)
    histogram = PitchHistogram()
    histogram.add(f0)
    low, high = histogram.bounds_hz(20)
    assert 0.015 < (f0 < low).mean() <= 0.02 and 0.015 < (f0 > high).mean() <= 0.02
    low, high = histogram.bounds_hz(0)
    assert low <= f0.min() < low * 1.001 and high >= f0.max() > high / 1.001


def test_histograms_merge_in_any_order() -> None:
    f0 = np.random.default_rng(2).uniform(5, 20_000, 3000)
    whole, even, odd = PitchHistogram(), PitchHistogram(), PitchHistogram()
    whole.add(f0)
    even.add(f0[::2])
    odd.add(f0[1::2])
    odd.merge(even)
    np.testing.assert_array_equal(odd.counts, whole.counts)
    assert whole.counts.sum() == 3000


def test_memory_does_not_grow_with_the_stream() -> None:
    block = np.random.default_rng(0).normal(0, 1, (300, 8))

    def peak(n: int) -> int:
        tracemalloc.start()
        found, histogram = RunningStatistics(8), PitchHistogram()
        for _ in range(n):
            found.add(block)
            histogram.add(200 + block[:, 0])
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(2)
    assert peak(300) < peak(10) + 10 * block.nbytes
