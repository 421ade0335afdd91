"""The wavelet transform against its definition, and what comes back from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from speechkd.audio.io import read_audio
from speechkd.features.pitch import continuous_contour, extract_f0
from speechkd.features.wavelet import (
    Inverse,
    cwt,
    inverse_cwt,
    mexican_hat,
    reconstruct,
    scale_weights,
    scales_frames,
    standardise,
)
from speechkd.models.common.masks import length_mask

LENGTHS = (9, 40, 150, 233, 400, 611, 800)


def test_scales_and_weights() -> None:
    assert scales_frames() == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert scales_frames(1.5)[:3] == [1.5, 3, 6]
    np.testing.assert_allclose(scale_weights(), [(i + 2.5) ** (-5 / 2) for i in range(1, 11)])


@pytest.mark.parametrize("scale", [1, 4, 16, 128])
def test_the_wavelet_has_no_mean_and_norm_one(scale: int) -> None:
    hat = mexican_hat(np.arange(-8 * scale, 8 * scale + 1), scale)
    assert abs(hat.sum()) < 1e-6 * np.abs(hat).sum()
    assert np.square(hat).sum() == pytest.approx(1, rel=0.02 / scale)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 60, 127, 128, 129])
@pytest.mark.parametrize("smallest", [1.0, 2.0])
def test_the_transform_is_the_integral_of_its_definition(n_frames: int, smallest: float) -> None:
    """W(τ, t) = τ^-½ ∫ F(x) ψ((x - t) / τ) dx, summed term by term; outside the utterance F is 0."""
    contour = gaussian_filter1d(np.random.default_rng(0).normal(size=n_frames), 2)
    wavelet = cwt(contour.astype(np.float32), smallest)
    assert wavelet.shape == (n_frames, 10) and wavelet.dtype == np.float32
    u = (np.arange(n_frames)[None, :] - np.arange(n_frames)[:, None])[:, None, :] / np.array(scales_frames(smallest))[
        None, :, None
    ]
    psi = 2 / (np.sqrt(3) * np.pi**0.25) * (1 - u**2) * np.exp(-(u**2) / 2)
    expected = (contour * psi).sum(axis=-1) / np.sqrt(scales_frames(smallest))
    np.testing.assert_allclose(wavelet, expected, atol=2e-6)


@pytest.mark.parametrize("scale", [8, 32])
def test_a_sine_answers_at_the_scale_of_its_period(scale: int) -> None:
    """The Mexican hat of scale s is tuned to the period 2π s / √2.5."""
    t = np.arange(800)
    wavelet = cwt(np.sin(2 * np.pi * t / (2 * np.pi * scale / np.sqrt(2.5))).astype(np.float32))
    assert scales_frames()[int(np.abs(wavelet[300:500]).max(axis=0).argmax())] == scale


def normalised(contour: np.ndarray) -> np.ndarray:
    return ((contour - contour.mean()) / contour.std()).astype(np.float32)


@pytest.mark.parametrize("n_frames", LENGTHS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_contour_comes_back_from_its_transform(n_frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.arange(n_frames)
    waves = (rng.normal() * np.sin(2 * np.pi * t / rng.uniform(20, 300) + rng.uniform(0, 6.3)) for _ in range(5))
    for contour in (sum(waves) - rng.uniform(0, 2) * t / n_frames, gaussian_filter1d(rng.normal(size=n_frames), 5)):
        back = inverse_cwt(cwt(normalised(contour)))
        assert np.corrcoef(contour, back)[0, 1] >= 0.98
        assert back.mean() == pytest.approx(0, abs=1e-5) and back.std() == pytest.approx(1, abs=1e-5)


def round_trip(contour: np.ndarray, smallest: float = 1.0, inverse: Inverse = "paper") -> float:
    back = inverse_cwt(cwt(contour, smallest), scale_weights(inverse, smallest))
    return float(np.corrcoef(contour, back)[0, 1])


def test_steps_are_what_scales_from_two_frames_lose() -> None:
    """A voice that jumps between two notes every few frames, long enough that its ends do not matter."""
    lengths = np.random.default_rng(0).integers(2, 9, 400)
    contour = normalised(np.repeat(np.arange(400) % 2, lengths).astype(float))
    from_two, from_one = (round_trip(contour, smallest) for smallest in (2.0, 1.0))
    assert from_two < 0.95 < 0.975 < from_one


@pytest.mark.parametrize("smallest", [1.0, 2.0])
def test_matched_weights_bring_slow_and_fast_waves_back_alike(smallest: float) -> None:
    t = np.arange(4096)

    def height(period: float, inverse: Inverse) -> float:
        wave = np.sin(2 * np.pi * t / period)
        back = cwt(wave, smallest)[1500:2500].astype(float) @ scale_weights(inverse, smallest)
        return float(back @ wave[1500:2500] / (wave[1500:2500] @ wave[1500:2500]))

    periods = smallest * np.array([8, 12, 20, 33, 60, 100, 200])
    matched, paper = ([height(p, inverse) for p in periods] for inverse in ("matched", "paper"))  # type: ignore[arg-type]
    np.testing.assert_allclose(matched, 1.0, atol=0.08)
    assert max(paper) / min(paper) > 1.15 > max(matched) / min(matched)


def test_real_clips_come_back(shared_data: Callable[[str], Path]) -> None:
    """Of each corpus the shortest, the longest and some between."""
    for corpus in ("kathleen1032", "ljspeech300"):
        paths = sorted(shared_data(f"data/speech/{corpus}/wavs").iterdir(), key=lambda path: path.stat().st_size)
        for path in [*paths[:3], *paths[3 :: len(paths) // 12]]:
            audio = read_audio(path, 22050)
            f0 = extract_f0(audio.samples, 22050, 256, len(audio.samples) // 256)
            contour = continuous_contour(f0).normalised
            assert round_trip(contour) >= 0.99, path.name
            assert round_trip(contour, inverse="matched") >= round_trip(contour), path.name


def test_no_padding_no_batch_mate_and_no_rubbish_in_the_padding_moves_a_contour() -> None:
    rng = np.random.default_rng(0)
    contours = [normalised(gaussian_filter1d(rng.normal(size=n), 4)) for n in (200, 33, 120)]
    weights = torch.from_numpy(scale_weights()).float()
    padded = torch.full((3, 200, 10), float("nan"))
    for row, contour in zip(padded, contours, strict=True):
        row[: len(contour)] = torch.from_numpy(cwt(contour))
    found = reconstruct(padded, weights, length_mask(torch.tensor([200, 33, 120])))
    for row, contour in zip(found, contours, strict=True):
        np.testing.assert_allclose(row[: len(contour)], inverse_cwt(cwt(contour)), atol=1e-5)
        assert not row[len(contour) :].any()


def test_standardise_in_closed_form() -> None:
    mask = length_mask(torch.tensor([4, 2]))
    rows = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 7.0, 1e6, 1e6]])
    expected = torch.tensor([[-1.5, -0.5, 0.5, 1.5], [-1.0, 1.0, 0.0, 0.0]])
    expected[0] /= 1.25**0.5
    torch.testing.assert_close(standardise(rows, mask), expected)
    constant = standardise(torch.full((1, 9), 3.0), torch.ones(1, 9, dtype=torch.bool))
    assert not constant.any()
    nothing = standardise(torch.ones(1, 3), torch.zeros(1, 3, dtype=torch.bool))
    assert not nothing.any()
