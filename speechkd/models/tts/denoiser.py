"""The denoiser of ProDiff (Huang et al., ACM MM 2022): a non-causal WaveNet over the frames of a mel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.tts.prodiff_config import DenoiserConfig


class LevelEncoding(nn.Module):
    """The level of noise as a vector: sinusoids of the index, then two layers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.layers = nn.Sequential(nn.Linear(channels, 4 * channels), nn.Mish(), nn.Linear(4 * channels, channels))

    def forward(self, index: Tensor) -> Tensor:
        """index: (B,) -> (B, C)."""
        half = self.channels // 2
        steps = torch.arange(half, device=index.device, dtype=torch.float32)
        angles = index.float().unsqueeze(1) * torch.exp(-math.log(10000.0) / max(1, half - 1) * steps)
        sinusoids = torch.cat([angles.sin(), angles.cos()], dim=1)
        encoded: Tensor = self.layers(sinusoids.to(self.layers[0].weight.dtype))  # type: ignore[arg-type]
        return encoded


class DenoiserLayer(nn.Module):
    """y = W * (x + V e) + U c; z = σ(y_a) · tanh(y_b); x' = (x + r) / √2 and a share s of the output, (r, s) = P z."""

    def __init__(self, channels: int, condition: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.level = nn.Linear(channels, channels)
        self.condition = nn.Conv1d(condition, 2 * channels, 1)
        self.gates = nn.Conv1d(channels, 2 * channels, kernel, padding=kernel // 2 * dilation, dilation=dilation)
        self.project = nn.Conv1d(channels, 2 * channels, 1)

    def forward(self, x: Tensor, level: Tensor, condition: Tensor, invalid: Tensor | None) -> tuple[Tensor, Tensor]:
        """x: (B, C, F), level: (B, C), condition: (B, H, F), invalid: (B, 1, F) -> x' and s, both (B, C, F)."""
        told = _without(x + self.level(level).unsqueeze(-1), invalid)
        gate, inner = (self.gates(told) + self.condition(condition)).chunk(2, dim=1)
        residual, skip = self.project(torch.sigmoid(gate) * torch.tanh(inner)).chunk(2, dim=1)
        return (x + residual) * math.sqrt(0.5), skip


class Denoiser(nn.Module):
    """f(x_t, index, c): gated residual layers, the sum of their skips, two 1x1 convolutions.

    The last layer starts at zero: an untrained network predicts silence of the right shape, not noise.
    """

    def __init__(self, n_mels: int, condition: int, config: DenoiserConfig) -> None:
        super().__init__()
        channels = config.channels
        self.input = nn.Conv1d(n_mels, channels, 1)
        self.level = LevelEncoding(channels)
        self.layers = nn.ModuleList(
            DenoiserLayer(channels, condition, config.kernel, dilation) for dilation in config.dilations
        )
        self.skip = nn.Conv1d(channels, channels, 1)
        self.output = nn.Conv1d(channels, n_mels, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.output.weight)

    def forward(self, noisy: Tensor, index: Tensor, condition: Tensor, mask: Tensor | None = None) -> Tensor:
        """noisy: (B, F, n_mels), index: (B,), condition: (B, F, H), mask: (B, F) -> (B, F, n_mels), float32.

        With a mask (True at real frames, all unless given) a padded row gives what it gives alone, and zeros after it.
        """
        invalid = None if mask is None else ~mask.unsqueeze(1)
        x = F.relu(self.input(noisy.transpose(1, 2)))
        level, condition = self.level(index), condition.transpose(1, 2)
        total = torch.zeros_like(x)
        for layer in self.layers:
            x, skip = layer(x, level, condition, invalid)
            total = total + skip
        made = self.output(F.relu(self.skip(total * math.sqrt(1.0 / len(self.layers)))))
        return _without(made, invalid).transpose(1, 2).float()


def _without(x: Tensor, invalid: Tensor | None) -> Tensor:
    return x if invalid is None else x.masked_fill(invalid, 0.0)
