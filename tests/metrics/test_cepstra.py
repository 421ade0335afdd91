"""Cepstra of mels against the sum that defines them, and distances with a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.metrics.cepstra import mel_cepstra, mel_distortion_db, mel_distortion_dtw_db


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-5, 2, (frames, 80))


def test_cepstra_by_the_sum() -> None:
    mel = noise(3)
    found = mel_cepstra(mel)
    assert found.shape == (3, 13)
    for order in range(1, 14):
        basis = [math.cos(math.pi * order * (2 * band + 1) / 160) for band in range(80)]
        np.testing.assert_allclose(found[:, order - 1], math.sqrt(2 / 80) * mel @ basis, rtol=1e-10)


def test_level_does_not_count_and_one_cosine_is_one_cepstrum() -> None:
    mel = noise(7)
    assert mel_distortion_db(mel, mel + 3.0) == pytest.approx(0.0, abs=1e-9)
    bands = np.arange(80)
    bent = mel + 0.5 * math.sqrt(2 / 80) * np.cos(math.pi * 4 * (2 * bands + 1) / 160)
    assert mel_distortion_db(mel, bent) == pytest.approx(10 / math.log(10) * math.sqrt(2) * 0.5)
    # c14 and higher are not looked at.
    assert mel_distortion_db(mel, mel + np.cos(math.pi * 20 * (2 * bands + 1) / 160)) == pytest.approx(0.0, abs=1e-9)


def test_frames_past_the_shorter_mel_are_left_out() -> None:
    mel, other = noise(9), noise(9, 1)
    assert mel_distortion_db(mel, other[:5]) == pytest.approx(mel_distortion_db(mel[:5], other[:5]))


def test_warping_finds_a_slower_reading() -> None:
    mel = noise(12)
    assert mel_distortion_dtw_db(mel, np.repeat(mel, 2, axis=0)) == pytest.approx(0.0, abs=1e-9)
    late = np.concatenate([mel[:1], mel])
    assert mel_distortion_dtw_db(mel, late) == pytest.approx(0.0, abs=1e-9) and mel_distortion_db(mel, late) > 10


@pytest.mark.parametrize("distance", [mel_distortion_db, mel_distortion_dtw_db])
def test_nothing_is_not_compared(distance: object) -> None:
    with pytest.raises(DataError, match="no frames"):
        distance(noise(0), noise(3))  # type: ignore[operator]
