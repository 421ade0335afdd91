"""The Laplacian against scipy's convolution."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from speechkd.errors import DataError
from speechkd.metrics.sharpness import laplacian_sharpness


def test_it_is_the_variance_of_scipys_convolution() -> None:
    mel = np.random.default_rng(0).normal(-5, 2, (37, 80))
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    assert laplacian_sharpness(mel) == pytest.approx(np.var(scipy.signal.convolve2d(mel, kernel, mode="valid")))


def test_planes_are_not_sharp_and_blur_takes_sharpness() -> None:
    plane = np.arange(20)[:, None] * 0.3 + np.arange(80) * -0.2
    mel = np.random.default_rng(1).normal(-5, 2, (40, 80))
    assert laplacian_sharpness(plane) == pytest.approx(0.0, abs=1e-12)
    blurred = scipy.ndimage.gaussian_filter(mel, 1.0)
    assert laplacian_sharpness(blurred) < 0.1 * laplacian_sharpness(mel)


def test_too_small() -> None:
    with pytest.raises(DataError, match="no inner points"):
        laplacian_sharpness(np.zeros((2, 80)))
