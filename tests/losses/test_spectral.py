"""The multi-resolution STFT loss against numpy's Fourier transform, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import torch

from speechkd.losses.spectral import MultiResolutionStftLoss, magnitude
from speechkd.losses.spectral_config import PUBLISHED, Resolution

RNG = np.random.default_rng(0)


def by_numpy(samples: np.ndarray, fft: int, hop: int, window: int) -> np.ndarray:
    """|STFT| (bins, frames) with a loop over frames; the Hann window from scipy."""
    before = (fft - window) // 2
    shape = np.zeros(fft)
    shape[before : before + window] = scipy.signal.get_window("hann", window, fftbins=True)
    padded = np.pad(samples, fft // 2, mode="reflect")
    frames = [np.fft.rfft(padded[at : at + fft] * shape) for at in range(0, len(padded) - fft + 1, hop)]
    return np.sqrt(np.maximum(np.abs(np.array(frames).T) ** 2, 1e-7))


def speechlike(rows: int, n_samples: int = 8192) -> np.ndarray:
    time = np.arange(n_samples) / 22050
    tones = [np.sin(2 * np.pi * (120 + 40 * row) * time * (1 + time)) for row in range(rows)]
    return np.stack(tones) * 0.3 + RNG.normal(0, 0.02, (rows, n_samples))


def test_the_published_resolutions() -> None:
    assert [(r.fft, r.hop, r.window) for r in PUBLISHED] == [(1024, 120, 600), (2048, 240, 1200), (512, 50, 240)]


@pytest.mark.parametrize("resolution", PUBLISHED)
def test_magnitudes_are_those_of_numpy(resolution: Resolution) -> None:
    samples = speechlike(1)
    found = magnitude(torch.from_numpy(samples).float(), resolution)[0].numpy()
    expected = by_numpy(samples[0], resolution.fft, resolution.hop, resolution.window)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-4)


def test_the_loss_is_convergence_plus_log_magnitude_averaged_over_resolutions() -> None:
    made, true = speechlike(2), speechlike(2)[::-1].copy()
    terms = []
    for each in PUBLISHED:
        m, t = (np.stack([by_numpy(row, each.fft, each.hop, each.window) for row in rows]) for rows in (made, true))
        terms.append(np.sqrt(((t - m) ** 2).sum()) / np.sqrt((t**2).sum()) + np.abs(np.log(t) - np.log(m)).mean())
    found = MultiResolutionStftLoss()(torch.from_numpy(made).float(), torch.from_numpy(true).float())
    assert float(found) == pytest.approx(np.mean(terms), rel=1e-3)


def test_it_is_zero_only_for_the_same_spectra() -> None:
    samples = torch.from_numpy(speechlike(2)).float()
    loss = MultiResolutionStftLoss()
    assert float(loss(samples, samples)) == 0.0
    assert float(loss(-samples, samples)) == pytest.approx(0.0, abs=1e-6)  # it does not hear the sign
    assert float(loss(samples * 0.5, samples)) == pytest.approx(0.5 + np.log(2), rel=0.02)


def test_silence_has_finite_gradients() -> None:
    samples = torch.zeros(1, 4096, requires_grad=True)
    true = torch.from_numpy(speechlike(1, 4096)).float()
    MultiResolutionStftLoss()(samples, true).backward()
    assert samples.grad is not None and samples.grad.isfinite().all()


def test_it_is_computed_in_single_precision_under_autocast() -> None:
    made, true = (torch.from_numpy(speechlike(1)).float() for _ in range(2))
    expected = MultiResolutionStftLoss()(made, true)
    with torch.autocast("cpu", torch.bfloat16):
        found = MultiResolutionStftLoss()(made, true)
    assert found.dtype == torch.float32 and found.equal(expected)


def test_a_window_longer_than_its_transform_is_refused() -> None:
    problems = list(Resolution.model_construct(fft=512, hop=50, window=600).problems())
    assert problems == [("window", "600 is longer than the transform of 512")]
