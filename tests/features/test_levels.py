"""Token means; their comparison with a loop stands with the data set's tests."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.features.levels import token_means


def test_means_and_neighbours() -> None:
    values = np.array([2.0, 4.0, 9.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(token_means(values, np.array([2, 1, 3])), [3, 9, 2])
    np.testing.assert_allclose(token_means(values, np.array([0, 2, 0, 1, 3, 0])), [3, 3, 6, 9, 2, 2])


def test_energy_of_a_token_is_the_mean_norm_of_its_frames() -> None:
    rng = np.random.default_rng(0)
    durations = rng.integers(1, 30, 12)
    energy = rng.gamma(2, 10, durations.sum()).astype(np.float32)
    parts = np.split(energy.astype(float), np.cumsum(durations)[:-1])
    np.testing.assert_allclose(token_means(energy, durations), [part.mean() for part in parts], rtol=1e-9)


@pytest.mark.parametrize("durations", [[2, 3], [2, 5], [0, 0]])
def test_durations_of_another_length_are_refused(durations: list[int]) -> None:
    with pytest.raises(DataError, match="durations sum to"):
        token_means(np.arange(6.0), np.array(durations))


def test_nothing_has_no_mean() -> None:
    with pytest.raises(DataError, match="0 frames"):
        token_means(np.zeros(0), np.array([0, 0]))
