"""Feed-forward Transformer blocks (FastSpeech, Ren et al., NeurIPS 2019, section 3.1)."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.common.config import FftConfig, PredictorConfig


def positions(n_positions: int, channels: int, reference: Tensor) -> Tensor:
    """Sinusoidal position encoding (Vaswani et al. 2017, section 3.5): (n_positions, channels)."""
    index = torch.arange(n_positions, device=reference.device, dtype=torch.float32)[:, None]
    step = torch.arange(0, channels, 2, device=reference.device, dtype=torch.float32)
    angle = index * torch.exp(step * (-math.log(10000.0) / channels))
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :channels].to(reference.dtype)


class SelfAttention(nn.Module):
    """Multi-head self-attention over valid positions."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project_in = nn.Linear(channels, 3 * channels)
        self.project_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, T, C), mask: (B, T) -> (B, T, C)."""
        batch, time, channels = x.shape
        qkv = self.project_in(x).view(batch, time, 3, self.heads, channels // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        return self.project_out(attended.transpose(1, 2).reshape(batch, time, channels))


class ConvFeedForward(nn.Module):
    """Two 1-D convolutions with a ReLU between them; padding is zeroed first, so that nothing leaks from it."""

    def __init__(self, channels: int, config: FftConfig) -> None:
        super().__init__()
        self.expand = nn.Conv1d(channels, config.conv_channels, config.conv_kernel, padding=config.conv_kernel // 2)
        second = config.second_kernel
        self.contract = nn.Conv1d(config.conv_channels, channels, second, padding=second // 2)
        self.dropout = nn.Dropout(config.inner_dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, T, C), mask: (B, T) -> (B, T, C)."""
        invalid = ~mask.unsqueeze(1)
        inner = F.relu(self.expand(x.transpose(1, 2).masked_fill(invalid, 0.0)))
        return self.contract(self.dropout(inner).masked_fill(invalid, 0.0)).transpose(1, 2)


class FftBlock(nn.Module):
    """Self-attention, then convolutions, each with a residual and a layer norm after it."""

    def __init__(self, channels: int, config: FftConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(channels, config.heads)
        self.attention_norm = nn.LayerNorm(channels)
        self.feed_forward = ConvFeedForward(channels, config)
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, T, C), mask: (B, T) -> (B, T, C)."""
        x = self.attention_norm(x + self.dropout(self.attention(x, mask)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x, mask)))


class FftStack(nn.Module):
    """Position encoding followed by feed-forward Transformer blocks."""

    def __init__(self, channels: int, config: FftConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(FftBlock(channels, config) for _ in range(config.layers))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, T, C), mask: (B, T), True where valid -> (B, T, C)."""
        x = x + positions(x.shape[1], x.shape[2], x)
        for block in self.blocks:
            x = block(x, mask)
        return x


class VariancePredictor(nn.Module):
    """Convolutions with ReLU, layer norm and dropout, then a linear layer (FastSpeech 2, figure 1c)."""

    def __init__(self, channels: int, config: PredictorConfig, outputs: int) -> None:
        super().__init__()
        sizes = [channels] + [config.channels] * config.layers
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, config.kernel, padding=config.kernel // 2) for before, after in pairwise(sizes)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(config.channels) for _ in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)
        self.project = nn.Linear(config.channels, outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, T, C), mask: (B, T) -> (B, T, outputs), zero at padding."""
        invalid = ~mask.unsqueeze(-1)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(conv(x.masked_fill(invalid, 0.0).transpose(1, 2))).transpose(1, 2)
            x = self.dropout(norm(x))
        return self.project(x).masked_fill(invalid, 0.0)
