"""HiFi-GAN's generator (Kong, Kim, Bae: HiFi-GAN, NeurIPS 2020), for inference: plain weights, no weight norm.

Parameters bear the names of the published checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.vocoder.config import HifiGanConfig

# The published generator uses another slope before its last convolution.
LAST_SLOPE = 0.01


def _same_conv(channels: int, kernel: int, dilation: int) -> nn.Conv1d:
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)


class ResBlock1(nn.Module):
    """x + undilated(dilated(x)) for each dilation; x: (B, C, T)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.convs1 = nn.ModuleList(_same_conv(channels, kernel, d) for d in dilations)
        self.convs2 = nn.ModuleList(_same_conv(channels, kernel, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, T) to the same shape."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(F.leaky_relu(dilated(F.leaky_relu(x, self.slope)), self.slope))
        return x


class ResBlock2(nn.Module):
    """x + dilated(x) for each dilation; x: (B, C, T)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.convs = nn.ModuleList(_same_conv(channels, kernel, d) for d in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, T) to the same shape."""
        for dilated in self.convs:
            x = x + dilated(F.leaky_relu(x, self.slope))
        return x


class HifiGan(nn.Module):
    """Log-mel to waveform."""

    def __init__(self, config: HifiGanConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.upsample_initial_channel
        self.conv_pre = nn.Conv1d(config.n_mels, channels, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        block = ResBlock1 if config.resblock == "1" else ResBlock2
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
            up = nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(up)
            channels //= 2
            for size, dilations in zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True):
                self.resblocks.append(block(channels, size, dilations, config.leaky_relu_slope))
        self.conv_post = nn.Conv1d(channels, 1, 7, padding=3)
        if config.normalize_before:
            self.register_buffer("mean", torch.zeros(config.n_mels))
            self.register_buffer("scale", torch.ones(config.n_mels))

    def forward(self, mel: Tensor) -> Tensor:
        """mel: (B, n_mels, frames) to samples in [-1, 1]: (B, frames * hop)."""
        if self.config.normalize_before:
            mel = (mel - self.mean[:, None]) / self.scale[:, None]  # type: ignore[index]
        x = self.conv_pre(mel)
        per_step = len(self.config.resblock_kernel_sizes)
        for step, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, self.config.leaky_relu_slope))
            x = self._mean_of_blocks(x, step * per_step, per_step)
        return torch.tanh(self.conv_post(F.leaky_relu(x, LAST_SLOPE))).squeeze(1)

    def _mean_of_blocks(self, x: Tensor, first: int, count: int) -> Tensor:
        total: Tensor = self.resblocks[first](x)
        for index in range(first + 1, first + count):
            total = total + self.resblocks[index](x)
        return total / count
