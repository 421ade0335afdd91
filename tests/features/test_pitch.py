"""F0 of sounds whose F0 is known, and the continuous contour."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.features.pitch import continuous_contour, extract_f0, interpolate_unvoiced

RATE, HOP = 22_050, 256


def buzz(f0_hz: np.ndarray) -> np.ndarray:
    """Ten harmonics of a fundamental given per sample."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE
    return (0.2 * sum(np.sin(k * phase) / k for k in range(1, 11))).astype(np.float32)


@pytest.mark.parametrize("method", ["dio", "harvest"])
@pytest.mark.parametrize("f_hz", [90.0, 220.0, 380.0])
def test_f0_of_a_tone(f_hz: float, method: str) -> None:
    samples = buzz(np.full(RATE, f_hz))
    f0 = extract_f0(samples, RATE, HOP, RATE // HOP, method)
    assert f0.shape == (86,) and f0.dtype == np.float32
    np.testing.assert_allclose(f0[3:-3], f_hz, rtol=0.01)


@pytest.mark.parametrize(("start_hz", "end_hz"), [(120.0, 360.0), (360.0, 120.0)])
def test_the_value_at_frame_t_is_that_of_the_frames_centre(start_hz: float, end_hz: float) -> None:
    """A glide of 240 Hz per second: half a hop (5.8 ms) too early or late would be 1.4 Hz."""
    slope = end_hz - start_hz
    f0 = extract_f0(buzz(start_hz + slope * np.arange(RATE) / RATE), RATE, HOP, RATE // HOP)
    centres_s = (np.arange(RATE // HOP) + 0.5) * HOP / RATE
    late_s = (f0 - (start_hz + slope * centres_s))[10:-10] / slope
    assert abs(np.median(late_s)) < 0.001
    assert np.abs(late_s).max() < 0.003


def test_silence_is_unvoiced_and_the_length_is_what_was_asked() -> None:
    samples = np.concatenate([np.zeros(RATE // 2, np.float32), buzz(np.full(RATE // 2, 200.0))])
    for n_frames in (80, 86, 95):
        f0 = extract_f0(samples, RATE, HOP, n_frames)
        assert f0.shape == (n_frames,)
        assert not f0[:38].any() and (f0[48:75] > 0).all() and not f0[88:].any()


def test_gaps_are_drawn_through_and_edges_held() -> None:
    f0 = np.array([0, 0, 100, 0, 0, 130, 120, 0], dtype=np.float32)
    np.testing.assert_allclose(interpolate_unvoiced(f0), [100, 100, 100, 110, 120, 130, 120, 120])


def test_normalising_can_be_undone() -> None:
    f0 = np.random.default_rng(0).uniform(80, 400, 200).astype(np.float32)
    contour = continuous_contour(f0)
    assert contour.normalised.mean() == pytest.approx(0, abs=1e-5)
    assert contour.normalised.std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(np.exp(contour.mean + contour.deviation * contour.normalised), f0, rtol=1e-5)


def test_a_monotone_has_a_contour() -> None:
    contour = continuous_contour(np.full(30, 200, dtype=np.float32))
    assert np.isfinite(contour.normalised).all() and np.abs(contour.normalised).max() < 1e-6
    assert contour.mean == pytest.approx(np.log(200)) and contour.deviation > 0
