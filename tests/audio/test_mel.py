"""The mel spectrogram against librosa, and where its frames lie."""

from __future__ import annotations

import subprocess
import sys

import librosa
import numpy as np
import pytest
import torch

from speechkd.audio.mel import MEL_PRESETS, MelPreset, linear_spectrogram, mel_basis, mel_preset, mel_spectrogram
from speechkd.errors import ConfigError

PRESETS = sorted(MEL_PRESETS)


def speechlike(n: int, rate: int) -> np.ndarray:
    """A gliding buzz in noise, with a silent stretch."""
    t = np.arange(n) / rate
    phase = 2 * np.pi * np.cumsum(120 + 60 * np.sin(3 * t)) / rate
    samples = sum(np.sin(k * phase) / k for k in range(1, 30)) * 0.1
    samples += np.random.default_rng(0).normal(0, 0.01, n)
    samples[n // 2 : n // 2 + 3000] = 0.0
    return samples.astype(np.float32)


def by_librosa(samples: np.ndarray, preset: MelPreset) -> np.ndarray:
    """(frames, n_mels) with librosa's own framing, window and filters, padded as HiFi-GAN pads."""
    pad = (preset.n_fft - preset.hop_samples) // 2
    mel = librosa.feature.melspectrogram(
        y=np.pad(samples.astype(np.float64), pad, mode="reflect"), sr=preset.sample_rate, n_fft=preset.n_fft,
        hop_length=preset.hop_samples, win_length=preset.win_samples, center=False, power=1.0, n_mels=preset.n_mels,
        fmin=preset.fmin_hz, fmax=preset.fmax_hz, htk=False, norm="slaney",
    )  # fmt: skip
    return np.log(np.maximum(mel, 1e-5)).T


@pytest.mark.parametrize("name", PRESETS)
def test_mel_is_librosas(name: str) -> None:
    preset = mel_preset(name)
    samples = speechlike(20_000, preset.sample_rate)
    ours = mel_spectrogram(torch.from_numpy(samples)[None], preset)[0].numpy()
    theirs = by_librosa(samples, preset)
    assert ours.shape == theirs.shape == (20_000 // 256, 80)
    heard = theirs > -8  # below, the 1e-9 under the square root is all there is
    assert heard.mean() > 0.5
    np.testing.assert_allclose(ours[heard], theirs[heard], atol=2e-3)
    np.testing.assert_allclose(ours, np.maximum(theirs, ours.min()), atol=0.2)


@pytest.mark.parametrize("n_samples", [1024, 1025, 1279, 1280, 1281, 22_050])
def test_a_signal_has_one_frame_per_whole_hop(n_samples: int) -> None:
    preset = mel_preset("hifigan_22k")
    assert mel_spectrogram(torch.zeros(2, n_samples), preset).shape == (2, n_samples // 256, 80)
    assert linear_spectrogram(torch.zeros(2, n_samples), preset).shape == (2, n_samples // 256, 513)


def test_frame_t_is_centred_half_a_hop_after_t_hops() -> None:
    preset = mel_preset("hifigan_22k")
    samples = torch.zeros(1, 40 * 256)
    samples[0, 20 * 256 + 128] = 1.0  # in the middle of frame 20
    energy = linear_spectrogram(samples, preset)[0].square().sum(dim=1)
    assert int(energy.argmax()) == 20
    torch.testing.assert_close(energy[19], energy[21], rtol=1e-4, atol=0)
    torch.testing.assert_close(energy[18], energy[22], rtol=1e-4, atol=1e-6)
    # A Hann window is 1 at its centre, and an impulse has the same magnitude in all 513 bins.
    assert float(energy[20]) == pytest.approx(513, rel=1e-4)


def test_the_numbers_that_hifigan_was_trained_with() -> None:
    preset = MEL_PRESETS["hifigan_22k"]
    assert (preset.sample_rate, preset.n_fft, preset.hop_samples, preset.win_samples) == (22_050, 1024, 256, 1024)
    assert (preset.n_mels, preset.fmin_hz, preset.fmax_hz, preset.log_floor) == (80, 0.0, 8000.0, 1e-5)
    assert preset.hop_s == pytest.approx(0.0116100, abs=1e-7)


def test_silence_is_the_floor() -> None:
    preset = mel_preset("hifigan_22k")
    floor = np.log(np.maximum(np.sqrt(1e-9) * mel_basis(preset).sum(dim=1).numpy(), 1e-5))
    mel = mel_spectrogram(torch.zeros(1, 2048), preset)[0].numpy()
    np.testing.assert_allclose(mel, np.tile(floor, (8, 1)), atol=1e-4)


def test_rows_of_a_batch_do_not_meet() -> None:
    preset = mel_preset("hifigan_22k")
    rows = torch.randn(3, 5000, generator=torch.Generator().manual_seed(0))
    together = mel_spectrogram(rows, preset)
    for row, mel in zip(rows, together, strict=True):
        torch.testing.assert_close(mel_spectrogram(row[None], preset)[0], mel, rtol=1e-5, atol=1e-5)


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="hifigan_22k"):
        mel_preset("hifigan_44k")


def test_naming_presets_does_not_cost_the_import_of_torch() -> None:
    code = "import sys, speechkd.audio.presets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
