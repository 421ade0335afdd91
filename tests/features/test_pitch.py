"""F0 of sounds whose F0 is known, the continuous contour, and the wavelet transform against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from speechkd.errors import DataError
from speechkd.features.pitch import (
    continuous_contour,
    cwt,
    extract_f0,
    interpolate_unvoiced,
    inverse_cwt,
    mexican_hat,
    scale_weights,
    scales_frames,
)

RATE, HOP = 22_050, 256
LENGTHS = (150, 233, 400, 611, 800)


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


def test_p3_unvoiced_is_not_mean_pitch() -> None:
    """Zeros left in a normalised contour would say "the mean"; filled frames say what their neighbours say."""
    f0 = np.array([100] * 10 + [0] * 10 + [100] * 10 + [300] * 30, dtype=np.float32)
    contour = continuous_contour(f0)
    np.testing.assert_allclose(contour.normalised[10:20], contour.normalised[0], atol=1e-6)
    assert contour.normalised[0] < -0.9


def test_normalising_can_be_undone() -> None:
    f0 = np.random.default_rng(0).uniform(80, 400, 200).astype(np.float32)
    contour = continuous_contour(f0)
    assert contour.normalised.mean() == pytest.approx(0, abs=1e-5)
    assert contour.normalised.std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(np.exp(contour.mean + contour.deviation * contour.normalised), f0, rtol=1e-5)


@pytest.mark.parametrize("n_voiced", [0, 1])
def test_p9_a_contour_needs_two_voiced_frames(n_voiced: int) -> None:
    f0 = np.zeros(50, dtype=np.float32)
    f0[20 : 20 + n_voiced] = 150
    with pytest.raises(DataError, match=f"only {n_voiced} voiced frames"):
        continuous_contour(f0)
    f0[30] = 150
    f0[31] = 150
    assert np.isfinite(continuous_contour(f0).normalised).all()


def test_a_monotone_has_a_contour() -> None:
    contour = continuous_contour(np.full(30, 200, dtype=np.float32))
    assert np.isfinite(contour.normalised).all() and np.abs(contour.normalised).max() < 1e-6
    assert np.isfinite(inverse_cwt(cwt(contour.normalised))).all()


def test_scales_and_weights_of_the_paper() -> None:
    assert scales_frames() == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    np.testing.assert_allclose(scale_weights(), [(i + 2.5) ** (-5 / 2) for i in range(1, 11)])


@pytest.mark.parametrize("scale", [4, 16, 128])
def test_the_wavelet_has_no_mean_and_norm_one(scale: int) -> None:
    hat = mexican_hat(scale)
    assert abs(hat.sum()) < 1e-3 * np.abs(hat).sum()
    assert np.square(hat).sum() == pytest.approx(1, rel=1e-3)


def test_the_transform_is_the_integral_of_its_definition() -> None:
    """W(τ, t) = τ^-½ ∫ F(x) ψ((x - t) / τ) dx, summed term by term; outside the utterance F is 0."""
    contour = gaussian_filter1d(np.random.default_rng(0).normal(size=60), 2)
    wavelet = cwt(contour.astype(np.float32))
    assert wavelet.shape == (60, 10)
    for i, scale in enumerate(scales_frames()):
        for t in (0, 17, 59):
            u = (np.arange(60) - t) / scale
            psi = 2 / (np.sqrt(3) * np.pi**0.25) * (1 - u**2) * np.exp(-(u**2) / 2)
            psi[np.abs(u) > 5] = 0
            assert wavelet[t, i] == pytest.approx((contour * psi).sum() / np.sqrt(scale), abs=1e-4)


@pytest.mark.parametrize("scale", [8, 32])
def test_a_sine_answers_at_the_scale_of_its_period(scale: int) -> None:
    """The Mexican hat of scale s is tuned to the period 2π s / √2.5."""
    t = np.arange(800)
    wavelet = cwt(np.sin(2 * np.pi * t / (2 * np.pi * scale / np.sqrt(2.5))).astype(np.float32))
    assert scales_frames()[int(np.abs(wavelet[300:500]).max(axis=0).argmax())] == scale


@pytest.mark.parametrize("n_frames", LENGTHS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_contour_comes_back_from_its_transform(n_frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.arange(n_frames)
    waves = (rng.normal() * np.sin(2 * np.pi * t / rng.uniform(20, 300) + rng.uniform(0, 6.3)) for _ in range(5))
    for contour in (sum(waves) - rng.uniform(0, 2) * t / n_frames, gaussian_filter1d(rng.normal(size=n_frames), 5)):
        normalised = ((contour - contour.mean()) / contour.std()).astype(np.float32)
        back = inverse_cwt(cwt(normalised))
        assert np.corrcoef(normalised, back)[0, 1] >= 0.98
        assert back.mean() == pytest.approx(0, abs=1e-5) and back.std() == pytest.approx(1, abs=1e-5)
