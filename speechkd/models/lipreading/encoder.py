"""Features of frames to states that have seen the whole clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from speechkd.models.lipreading.config import EncoderConfig


class Encoder(nn.Module):
    """A bidirectional GRU (Cho et al., EMNLP 2014), one module per layer so that dropout can be chosen per call."""

    def __init__(self, inputs: int, config: EncoderConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.size = 2 * config.hidden
        sizes = [inputs] + [self.size] * (config.layers - 1)
        self.layers = nn.ModuleList(nn.GRU(size, config.hidden, batch_first=True, bidirectional=True) for size in sizes)

    def forward(self, features: Tensor, lengths: Tensor, dropout: bool) -> Tensor:
        """Features (B, T, C), lengths (B,) frames -> states (B, T, 2 hidden), zero past the lengths."""
        on_cpu = lengths.cpu()
        for layer in self.layers:
            packed = pack_padded_sequence(
                F.dropout(features, self.dropout, dropout), on_cpu, batch_first=True, enforce_sorted=False
            )
            features, _ = pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=features.shape[1])
        return F.dropout(features, self.dropout, dropout)


class CtcHead(nn.Module):
    """What each frame says by itself (Graves et al., ICML 2006); `PAD` is the blank."""

    def __init__(self, inputs: int, n_symbols: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, n_symbols)

    def forward(self, states: Tensor) -> Tensor:
        """States (B, T, C) -> log-probabilities (B, T, n_symbols)."""
        return torch.log_softmax(self.linear(states), dim=-1)
