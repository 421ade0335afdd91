"""Griffin-Lim: a waveform from a log-mel without any trained weights. Plain in quality, but it always works."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from speechkd.audio.mel import MelPreset, mel_basis, mel_preset

MOMENTUM = 0.99
NNLS_STEPS = 60
TINY = 1e-8


def linear_from_mel(log_mel: Tensor, preset: MelPreset) -> Tensor:
    """Non-negative STFT magnitude whose mel is nearest: log_mel (B, frames, n_mels) to (B, frames, n_fft // 2 + 1).

    Least squares by multiplicative updates (Lee and Seung, 2001) from the clipped pseudo-inverse.
    """
    basis, inverse = _basis_and_inverse(preset)
    target = torch.exp(log_mel)
    magnitude = torch.clamp(target @ inverse.T, min=TINY)
    numerator = target @ basis
    for _ in range(NNLS_STEPS):
        magnitude = magnitude * numerator / ((magnitude @ basis.T) @ basis + TINY)
    return magnitude


@lru_cache(maxsize=4)
def _basis_and_inverse(preset: MelPreset) -> tuple[Tensor, Tensor]:
    """Mel filters (n_mels, bins) and their pseudo-inverse (bins, n_mels)."""
    basis = mel_basis(preset)
    return basis, torch.linalg.pinv(basis.double()).float()


class GriffinLim:
    """Phase by the fast Griffin-Lim algorithm (Perraudin, Balazs, Søndergaard: WASPAA 2013), momentum 0.99.

    A vocoder for every mel preset. Deterministic: the starting phase comes from `seed` alone.
    """

    def __init__(self, mel_preset_name: str, n_iter: int = 60, seed: int = 0) -> None:
        self.mel_preset_name = mel_preset_name
        self.n_iter = n_iter
        self.seed = seed
        self._preset = mel_preset(mel_preset_name)
        self._window = torch.hann_window(self._preset.win_samples)

    @torch.inference_mode()
    def __call__(self, mel: Tensor) -> Tensor:
        """mel: (B, frames, n_mels), natural log, to samples (B, frames * hop)."""
        magnitude = linear_from_mel(mel.float().cpu(), self._preset).transpose(1, 2)
        generator = torch.Generator().manual_seed(self.seed)
        # One starting phase for all rows: an utterance sounds the same alone and in a batch.
        phase = 2 * torch.pi * torch.rand(magnitude.shape[1:], generator=generator)
        target = torch.polar(magnitude, phase.expand_as(magnitude).contiguous())
        previous = torch.zeros_like(target)
        for _ in range(self.n_iter):
            consistent = self._stft(self._overlap_add(target))
            ahead = consistent + MOMENTUM * (consistent - previous)
            previous = consistent
            target = magnitude * ahead / (ahead.abs() + TINY)
        padding = (self._preset.n_fft - self._preset.hop_samples) // 2
        return self._overlap_add(target)[:, padding : padding + mel.shape[1] * self._preset.hop_samples]

    def _stft(self, signal: Tensor) -> Tensor:
        """signal (B, (frames - 1) * hop + n_fft) to (B, bins, frames)."""
        preset = self._preset
        return torch.stft(
            signal,
            preset.n_fft,
            preset.hop_samples,
            preset.win_samples,
            self._window,
            center=False,
            return_complex=True,
        )

    def _overlap_add(self, spectrum: Tensor) -> Tensor:
        """Least-squares inverse STFT: (B, bins, frames) to (B, (frames - 1) * hop + n_fft)."""
        # torch.istft refuses windows that vanish at the outer edge, which the cut-off padding here allows.
        preset = self._preset
        spare = preset.n_fft - preset.win_samples
        window = F.pad(self._window, (spare // 2, spare - spare // 2))[:, None]
        frames = torch.fft.irfft(spectrum, preset.n_fft, dim=1) * window
        n_samples = (spectrum.shape[2] - 1) * preset.hop_samples + preset.n_fft
        weight = (window**2).expand(1, -1, spectrum.shape[2])
        summed, norm = (self._fold(columns, n_samples) for columns in (frames, weight))
        return summed / torch.clamp(norm, min=1e-3)

    def _fold(self, columns: Tensor, n_samples: int) -> Tensor:
        """Sum columns (B, n_fft, frames) into (B, n_samples), each one hop after the other."""
        preset = self._preset
        return F.fold(columns, (1, n_samples), (1, preset.n_fft), stride=(1, preset.hop_samples))[:, 0, 0]
