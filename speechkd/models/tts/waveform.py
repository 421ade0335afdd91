"""The waveform decoder of FastSpeech 2s (Ren et al., ICLR 2021, section 2.5): frame states to samples.

Non-causal WaveNet blocks (van den Oord et al. 2016, equation 2) at the rate of the samples, as in Parallel WaveGAN
(Yamamoto et al., ICASSP 2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from speechkd.models.tts.fastspeech2s_config import WaveformConfig


class GatedBlock(nn.Module):
    """z = tanh(W_f * x) · σ(W_g * x); the block adds V_r z to its input and gives V_s z to the output."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        padding = kernel // 2 * dilation
        self.gates = nn.Conv1d(channels, 2 * channels, kernel, padding=padding, dilation=dilation)
        self.project = nn.Conv1d(channels, 2 * channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, N) -> input of the next block (B, C, N), share of the output (B, C, N)."""
        inner, gate = self.gates(x).chunk(2, dim=1)
        residual, skip = self.project(torch.tanh(inner) * torch.sigmoid(gate)).chunk(2, dim=1)
        # Half the power of the sum, so that thirty blocks do not grow the signal.
        return (x + residual) * math.sqrt(0.5), skip


class WaveformDecoder(nn.Module):
    """One transposed convolution up to the sample rate, gated blocks, the sum of their skips, two 1x1 convolutions."""

    def __init__(self, hidden: int, hop_samples: int, config: WaveformConfig) -> None:
        super().__init__()
        self.hop_samples = hop_samples
        channels = config.channels
        # Two frames wide: every sample is made of the two frames around it.
        self.upsample = nn.ConvTranspose1d(
            hidden, channels, 2 * hop_samples, stride=hop_samples, padding=hop_samples // 2
        )
        self.blocks = nn.ModuleList(GatedBlock(channels, config.kernel, dilation) for dilation in config.dilations)
        self.output = nn.Sequential(nn.ReLU(), nn.Conv1d(channels, channels, 1), nn.ReLU(), nn.Conv1d(channels, 1, 1))

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """states: (B, F, C), mask: (B, F), True at real frames, all unless given -> samples (B, F * hop).

        With a mask a padded row gives the samples that it gives alone, and zeros after them.
        """
        invalid = None if mask is None else ~mask.repeat_interleave(self.hop_samples, dim=1).unsqueeze(1)
        if mask is not None:
            states = states.masked_fill(~mask.unsqueeze(-1), 0.0)
        x = _without(self.upsample(states.transpose(1, 2)), invalid)
        total = torch.zeros_like(x)
        for block in self.blocks:
            x, skip = block(x)
            x, total = _without(x, invalid), total + skip
        samples = self.output(total * math.sqrt(1.0 / len(self.blocks)))
        return _without(samples, invalid).squeeze(1).float()


def _without(x: Tensor, invalid: Tensor | None) -> Tensor:
    return x if invalid is None else x.masked_fill(invalid, 0.0)


def take_slices(states: Tensor, rows: Tensor, starts: Tensor, n_frames: int) -> Tensor:
    """Frames starts[s] .. starts[s] + n_frames of row rows[s]: states (B, F, C), rows, starts (S,) -> (S, n_frames, C).

    Raises IndexError for a slice that reaches past the padded length.
    """
    index = starts.unsqueeze(1) + torch.arange(n_frames, device=starts.device)
    if len(index) and int(index.max()) >= states.shape[1]:
        raise IndexError(f"a slice ends at frame {int(index.max()) + 1} of {states.shape[1]}")
    return states[rows.unsqueeze(1), index]
