"""Frame energy against numpy."""

from __future__ import annotations

import numpy as np
import torch

from speechkd.audio.mel import linear_spectrogram, mel_preset
from speechkd.features.energy import frame_energy

PRESET = mel_preset("hifigan_22k")


def by_numpy(samples: np.ndarray) -> np.ndarray:
    """‖STFT magnitude‖₂ per frame, frame by frame."""
    padded = np.pad(samples.astype(np.float64), (1024 - 256) // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    starts = range(0, len(padded) - 1024 + 1, 256)
    return np.array([np.linalg.norm(np.abs(np.fft.rfft(padded[s : s + 1024] * window))) for s in starts])


def test_energy_is_the_norm_of_the_magnitude() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 10_000).astype(np.float32)
    samples[4000:7000] *= 0.01
    energy = frame_energy(linear_spectrogram(torch.from_numpy(samples)[None], PRESET))[0].numpy()
    expected = by_numpy(samples)
    assert energy.shape == expected.shape == (39,)
    np.testing.assert_allclose(energy, expected, rtol=1e-3)


def test_the_sum_runs_over_bins_and_over_squares() -> None:
    """Not over time (E4), and not an L1 norm (E3)."""
    magnitude = torch.tensor([[3.0, 4.0], [0.0, 0.0], [5.0, 12.0]])
    torch.testing.assert_close(frame_energy(magnitude), torch.tensor([5.0, 0.0, 13.0]))


def test_d11_energy_has_no_logarithm_and_none_of_another_base() -> None:
    """ProDiff's code takes exp of decadic logarithms, so that ten times the amplitude is 2.7 times the energy."""
    samples = torch.from_numpy(np.random.default_rng(2).normal(0, 0.01, (1, 8000)).astype(np.float32))
    once, louder = (frame_energy(linear_spectrogram(factor * samples, PRESET)) for factor in (1, 10))
    torch.testing.assert_close(louder, 10 * once, rtol=1e-3, atol=1e-3)


def test_twice_as_loud_has_twice_the_energy() -> None:
    samples = torch.from_numpy(np.random.default_rng(1).normal(0, 0.1, (1, 8000)).astype(np.float32))
    once, twice = (frame_energy(linear_spectrogram(factor * samples, PRESET)) for factor in (1, 2))
    torch.testing.assert_close(twice, 2 * once, rtol=1e-4, atol=1e-4)
