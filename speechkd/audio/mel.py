"""The one mel spectrogram of the toolkit, with a named preset per vocoder family.

Frames are counted as HiFi-GAN counts them: the signal is reflected by (n_fft - hop) / 2 on both sides
and cut without centring, so that a signal of T samples has T // hop frames and frame t is centred
on sample (t + 0.5) * hop.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from speechkd.audio.filters import mel_filters
from speechkd.audio.presets import MEL_PRESETS, MelPreset, mel_preset

__all__ = [
    "MEL_PRESETS",
    "MelPreset",
    "linear_spectrogram",
    "mel_basis",
    "mel_from_linear",
    "mel_preset",
    "mel_spectrogram",
]


@lru_cache(maxsize=8)
def mel_basis(preset: MelPreset) -> Tensor:
    """Slaney-normalised triangular filters: (n_mels, n_fft // 2 + 1)."""
    return torch.from_numpy(
        mel_filters(preset.sample_rate, preset.n_fft, preset.n_mels, preset.fmin_hz, preset.fmax_hz)
    )


@lru_cache(maxsize=8)
def _window(win_samples: int) -> Tensor:
    return torch.hann_window(win_samples)


def linear_spectrogram(samples: Tensor, preset: MelPreset) -> Tensor:
    """STFT magnitude of samples (B, T): (B, T // hop, n_fft // 2 + 1). T must be at least n_fft."""
    pad = (preset.n_fft - preset.hop_samples) // 2
    padded = F.pad(samples.unsqueeze(1), (pad, pad), mode="reflect").squeeze(1)
    window = _window(preset.win_samples).to(samples)
    spectrum = torch.stft(
        padded, preset.n_fft, preset.hop_samples, preset.win_samples, window, center=False, return_complex=True
    )
    magnitude = torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-9)
    return magnitude.transpose(1, 2)


def mel_from_linear(magnitude: Tensor, preset: MelPreset) -> Tensor:
    """Natural log mel of an STFT magnitude (B, frames, n_fft // 2 + 1): (B, frames, n_mels)."""
    mel = magnitude @ mel_basis(preset).to(magnitude).T
    return torch.log(torch.clamp(mel, min=preset.log_floor))


def mel_spectrogram(samples: Tensor, preset: MelPreset) -> Tensor:
    """Natural log mel of samples (B, T): (B, T // hop, n_mels)."""
    return mel_from_linear(linear_spectrogram(samples, preset), preset)
