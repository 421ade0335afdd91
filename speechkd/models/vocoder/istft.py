"""A vocoder of one frame rate: mel to pitch and filters by ConvNeXt blocks, to samples by an inverse STFT.

S = H · P + G · N, frame by frame: pulses P at the pitch and noise N come from `excitation`, the network makes the
filters H (complex) and G (a magnitude) and the pitch. Blocks, inverse STFT and size are near those of Vocos (Siuzdak,
ICLR 2024), which has no excitation and must learn how phases go on from frame to frame; that took it a million steps.
Here a filter's phase is that of a vocal tract, which a mel tells. It is the direction of a vector (as in APNet: Ai and
Ling, 2023), which needs no sine and no cosine. A block's convolution may lean on the past, so that little context is
needed ahead.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.vocoder.excitation import harmonics, noise
from speechkd.models.vocoder.istft_config import IstftConfig

# A sine at full scale has the magnitude 256 under a Hann window of 1024 samples; exp(7) is four times that.
_LARGEST_LOG_MAGNITUDE = 7.0
# Under the length of a direction; keeps its gradient finite.
_TINY = 1e-8
# The pitch is the mean of the likeliest bin and of so many to either side, weighted by their probabilities.
_NEIGHBOURS = 4


class Filters(NamedTuple):
    """What the network makes of mels (B, n_mels, F)."""

    real: Tensor  # (B, F, bins): of the pulses' filter
    imaginary: Tensor
    noise: Tensor  # (B, F, bins): magnitude of the noise's filter
    pitch: Tensor  # (B, F, pitch_bins): log-odds of the pitches


class Excitation(NamedTuple):
    """What the filters are applied to."""

    harmonics: Tensor  # (B, F, bins), complex
    noise: Tensor

    def to(self, device: torch.device | str) -> Excitation:
        """The same on another device."""
        return Excitation(self.harmonics.to(device), self.noise.to(device))


class ConvNeXtBlock(nn.Module):
    """x + scale · reduce(gelu(expand(norm(depthwise(x))))): ConvNeXt (Liu et al., CVPR 2022) in one dimension.

    Only the depthwise convolution looks at other frames, `lookahead` of them in the future.
    """

    def __init__(self, channels: int, expanded: int, kernel: int, lookahead: int, scale: float) -> None:
        super().__init__()
        self.around = (kernel - 1 - lookahead, lookahead)
        self.depthwise = nn.Conv1d(channels, channels, kernel, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, expanded)
        self.reduce = nn.Linear(expanded, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, F) to the same shape."""
        y = self.norm(self.depthwise(F.pad(x, self.around)).transpose(1, 2))
        y = self.scale * self.reduce(F.gelu(self.expand(y)))
        return x + y.transpose(1, 2)


class IstftVocoderNetwork(nn.Module):
    """Log-mel to waveform."""

    def __init__(self, config: IstftConfig) -> None:
        super().__init__()
        self.config = config
        self.around = (config.input_kernel - 1 - config.input_lookahead, config.input_lookahead)
        self.embed = nn.Conv1d(config.n_mels, config.channels, config.input_kernel)
        self.norm = nn.LayerNorm(config.channels)
        scale = 1.0 / len(config.lookahead)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(config.channels, config.expanded, config.kernel, ahead, scale) for ahead in config.lookahead
        )
        self.last_norm = nn.LayerNorm(config.channels)
        self.head = nn.Linear(config.channels, 4 * config.bins)
        self.pitch_head = nn.Linear(config.channels, config.pitch_bins)
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)
        self.register_buffer("log_pitches", _log_pitches(config), persistent=False)
        self.window: Tensor
        self.log_pitches: Tensor
        self.apply(_initialise)

    def forward(self, mel: Tensor) -> Tensor:
        """mel: (B, n_mels, F), natural log, to samples (B, F * hop), at the pitch that the network finds in it."""
        made = self.filters(mel)
        f0_hz = self.f0_hz(made.pitch).detach().cpu().numpy()
        return self.excited(made, excitation_of(f0_hz, self.config).to(mel.device))

    def filters(self, mel: Tensor) -> Filters:
        """Filters and pitch of mel (B, n_mels, F)."""
        x = self.norm(self.embed(F.pad(mel, self.around)).transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        x = self.last_norm(x.transpose(1, 2))
        log_magnitude, across, up, log_noise = self.head(x).chunk(4, dim=2)
        factor = _magnitude(log_magnitude) * torch.rsqrt(across * across + up * up + _TINY)
        return Filters(factor * across, factor * up, _magnitude(log_noise), self.pitch_head(x))

    def f0_hz(self, pitch: Tensor) -> Tensor:
        """The likeliest pitch in every frame, voiced or not: (B, F) of log-odds (B, F, pitch_bins)."""
        bins = torch.arange(pitch.shape[-1], device=pitch.device)
        near = (bins - pitch.argmax(dim=-1, keepdim=True)).abs() <= _NEIGHBOURS
        weights = torch.softmax(pitch, dim=-1) * near
        return torch.exp((weights * self.log_pitches).sum(dim=-1) / weights.sum(dim=-1))

    def excited(self, made: Filters, by: Excitation) -> Tensor:
        """Samples (B, F * hop) of filters and what excites them."""
        pulsed = torch.complex(made.real.float(), made.imaginary.float()) * by.harmonics
        return self.to_samples(pulsed + made.noise.float() * by.noise)

    def to_samples(self, spectrum: Tensor) -> Tensor:
        """Inverse STFT of a spectrum (B, F, bins), complex, to samples (B, F * hop).

        Least squares (Griffin and Lim, 1984): windowed frames, overlapped and added, over the sum of squared windows.
        """
        config = self.config
        frames = torch.fft.irfft(spectrum, config.n_fft, dim=2) * self.window
        squares = (self.window**2).expand(1, frames.shape[1], -1)
        summed, weight = (_overlap_add(each, config.hop_samples) for each in (frames, squares))
        inner = slice(config.margin_samples, config.margin_samples + frames.shape[1] * config.hop_samples)
        return summed[:, inner] / weight[:, inner]


def excitation_of(f0_hz: np.ndarray, config: IstftConfig, first_frames: np.ndarray | None = None) -> Excitation:
    """Pulses at a pitch (B, F), which is nowhere 0, and noise: from the frames (B,) of it that are named, or from 0."""
    n_frames = f0_hz.shape[1]
    firsts = np.zeros(len(f0_hz), np.int64) if first_frames is None else first_frames
    pulses = np.stack([harmonics(row, config) for row in f0_hz])
    rows = np.stack([noise(int(first), n_frames, config) for first in firsts])
    return Excitation(torch.from_numpy(pulses), torch.from_numpy(rows))


def _log_pitches(config: IstftConfig) -> Tensor:
    ends = math.log(config.pitch_min_hz), math.log(config.pitch_max_hz)
    return torch.linspace(*ends, config.pitch_bins)


def _magnitude(logarithm: Tensor) -> Tensor:
    return torch.exp(logarithm.clamp(max=_LARGEST_LOG_MAGNITUDE))


def _overlap_add(frames: Tensor, hop: int) -> Tensor:
    """frames (B, F, N), each a hop after the one before, summed to (B, (F - 1) * hop + N)."""
    size = (1, (frames.shape[1] - 1) * hop + frames.shape[2])
    return F.fold(frames.transpose(1, 2), size, (1, frames.shape[2]), stride=(1, hop))[:, 0, 0]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv1d, nn.Linear)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
