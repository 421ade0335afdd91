"""A vocoder of one frame rate: mel to short-time spectrum by ConvNeXt blocks, and back to samples by an inverse STFT.

Vocos (Siuzdak, ICLR 2024) with three differences: the phase is the direction of a vector that the network makes, not
an angle (as in APNet: Ai and Ling, 2023), which needs no sine and no cosine; a block's convolution may lean on the
past, so that little context is needed ahead; and it is small.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.vocoder.istft_config import IstftConfig

# A sine at full scale has the magnitude 256 under a Hann window of 1024 samples; exp(7) is four times that.
_LARGEST_LOG_MAGNITUDE = 7.0
# Under the length of a direction; keeps its gradient finite.
_TINY = 1e-8


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
        self.head = nn.Linear(config.channels, 3 * config.bins)
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)
        self.window: Tensor
        self.apply(_initialise)

    def forward(self, mel: Tensor) -> Tensor:
        """mel: (B, n_mels, F), natural log, to samples (B, F * hop)."""
        return self.to_samples(*self.spectrum(mel))

    def spectrum(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary part of the short-time spectrum, each (B, F, bins), of mel (B, n_mels, F)."""
        x = self.norm(self.embed(F.pad(mel, self.around)).transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        log_magnitude, across, up = self.head(self.last_norm(x.transpose(1, 2))).chunk(3, dim=2)
        magnitude = torch.exp(log_magnitude.clamp(max=_LARGEST_LOG_MAGNITUDE))
        factor = magnitude * torch.rsqrt(across * across + up * up + _TINY)
        return factor * across, factor * up

    def to_samples(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Inverse STFT of a spectrum, each part (B, F, bins), to samples (B, F * hop).

        Least squares (Griffin and Lim, 1984): windowed frames, overlapped and added, over the sum of squared windows.
        """
        config = self.config
        frames = torch.fft.irfft(torch.complex(real.float(), imaginary.float()), config.n_fft, dim=2) * self.window
        squares = (self.window**2).expand(1, frames.shape[1], -1)
        summed, weight = (_overlap_add(each, config.hop_samples) for each in (frames, squares))
        inner = slice(config.margin_samples, config.margin_samples + frames.shape[1] * config.hop_samples)
        return summed[:, inner] / weight[:, inner]


def _overlap_add(frames: Tensor, hop: int) -> Tensor:
    """frames (B, F, N), each a hop after the one before, summed to (B, (F - 1) * hop + N)."""
    size = (1, (frames.shape[1] - 1) * hop + frames.shape[2])
    return F.fold(frames.transpose(1, 2), size, (1, frames.shape[2]), stride=(1, hop))[:, 0, 0]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv1d, nn.Linear)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
