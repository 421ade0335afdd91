"""The waveform decoder of FastSpeech 2s (Ren et al., ICLR 2021, section 2.5): frame states to samples.

Non-causal WaveNet blocks (van den Oord et al. 2016, equation 2) at the rate of the samples, as in Parallel WaveGAN
(Yamamoto et al., ICASSP 2020). On their own they have to invent every period out of states of frames; given an
`Excitation` they only have to shape it, as in neural source-filter models (Wang et al., ICASSP 2019). They may run at
a fraction of the rate, each state making several neighbouring samples (sub-pixel: Shi et al., CVPR 2016).
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from speechkd.models.tts.fastspeech2s_config import WaveformConfig

_NOISE_SAMPLES = 2**15


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


class Excitation(nn.Module):
    """What a voice tract is given: a sine at F0, a train of pulses at F0, and noise; no weights.

    The pulses are all cosines k·F0 below half the sample rate, of equal strength, one at the peak. Phase begins with
    the first frame, and goes on through unvoiced frames, which hear the noise alone.
    """

    channels: ClassVar[int] = 3

    def __init__(self, hop_samples: int, sample_rate: int) -> None:
        super().__init__()
        self.hop_samples, self.sample_rate = hop_samples, sample_rate
        # Speaking must give the same samples every time, whatever the batch: the same noise from the start of a row.
        noise = np.random.default_rng(0).standard_normal(_NOISE_SAMPLES).astype(np.float32)
        self.register_buffer("noise", torch.from_numpy(noise), persistent=False)

    def forward(self, f0_hz: Tensor, voiced: Tensor) -> Tensor:
        """f0_hz, voiced: (B, F) -> (B, 3, F * hop)."""
        # Of a period: bounded, so that long utterances lose no precision.
        per_sample = (f0_hz.float().clamp(min=1.0) / self.sample_rate).unsqueeze(-1)
        ends = torch.cumsum(per_sample * self.hop_samples, dim=1)
        begins = ends - per_sample * self.hop_samples
        steps = torch.arange(self.hop_samples, device=f0_hz.device)
        turns = begins - begins.floor() + per_sample * steps  # (B, F, hop)
        n_cosines = (0.5 / per_sample).floor().clamp(min=1.0)
        sounds = torch.stack([torch.sin(2 * math.pi * turns), _pulses(turns, n_cosines)], dim=1)
        heard = (sounds * voiced[:, None, :, None]).flatten(2)
        return torch.cat([heard, self._noise_like(heard[:, :1])], dim=1)

    def _noise_like(self, x: Tensor) -> Tensor:
        if self.training:
            return torch.randn_like(x)
        n_samples = x.shape[-1]
        times = n_samples // _NOISE_SAMPLES + 1
        noise: Tensor = self.noise.repeat(times)[:n_samples]  # type: ignore[operator]
        return noise.expand_as(x)


def _pulses(turns: Tensor, n_cosines: Tensor) -> Tensor:
    """Mean over k = 1 … n of cos(2π·k·turns), by the closed form of the Dirichlet kernel."""
    half = math.pi * (turns - torch.round(turns))  # of the nearest pulse, -π/2 … π/2
    at_pulse = half.abs() < 1e-4
    below = torch.sin(torch.where(at_pulse, torch.ones_like(half), half))
    ratio = torch.where(at_pulse, 2.0 * n_cosines + 1.0, torch.sin((2.0 * n_cosines + 1.0) * half) / below)
    return (ratio - 1.0) / (2.0 * n_cosines)


class WaveformDecoder(nn.Module):
    """One transposed convolution up to the rate of steps, gated blocks, the sum of their skips, two 1x1 convolutions.

    A step is a sample, or `samples_per_step` of them.
    """

    def __init__(self, hidden: int, hop_samples: int, config: WaveformConfig) -> None:
        super().__init__()
        channels, self.samples_per_step = config.channels, config.samples_per_step
        self.hop_steps = hop_samples // config.samples_per_step
        # Two frames wide: every step is made of the two frames around it.
        self.upsample = nn.ConvTranspose1d(
            hidden, channels, 2 * self.hop_steps, stride=self.hop_steps, padding=self.hop_steps // 2
        )
        heard = Excitation.channels * config.samples_per_step
        self.excite = nn.Conv1d(heard, channels, 1) if config.excitation == "harmonic" else None
        self.blocks = nn.ModuleList(GatedBlock(channels, config.kernel, dilation) for dilation in config.dilations)
        self.output = nn.Sequential(
            nn.ReLU(), nn.Conv1d(channels, channels, 1), nn.ReLU(), nn.Conv1d(channels, config.samples_per_step, 1)
        )

    def forward(self, states: Tensor, mask: Tensor | None = None, excitation: Tensor | None = None) -> Tensor:
        """states: (B, F, C), mask: (B, F), True at real frames, all unless given -> samples (B, F * hop).

        excitation: (B, 3, F * hop), of a decoder that is made for one.
        With a mask a padded row gives the samples that it gives alone, and zeros after them.
        """
        invalid = None if mask is None else ~mask.repeat_interleave(self.hop_steps, dim=1).unsqueeze(1)
        if mask is not None:
            states = states.masked_fill(~mask.unsqueeze(-1), 0.0)
        x = self.upsample(states.transpose(1, 2))
        if self.excite is not None:
            assert excitation is not None, "this decoder shapes an excitation"
            x = x + self.excite(folded(excitation, self.samples_per_step))
        x = _without(x, invalid)
        total = torch.zeros_like(x)
        for block in self.blocks:
            x, skip = block(x)
            x, total = _without(x, invalid), total + skip
        samples = self.output(total * math.sqrt(1.0 / len(self.blocks)))
        return _without(samples, invalid).transpose(1, 2).flatten(1).float()


def folded(x: Tensor, n: int) -> Tensor:
    """n neighbouring samples side by side: (B, C, N) -> (B, C * n, N / n)."""
    return x.unflatten(2, (-1, n)).transpose(2, 3).flatten(1, 2)


def _without(x: Tensor, invalid: Tensor | None) -> Tensor:
    return x if invalid is None else x.masked_fill(invalid, 0.0)


def take_slices(states: Tensor, rows: Tensor, starts: Tensor, n_frames: int) -> Tensor:
    """Frames starts[s] .. starts[s] + n_frames of row rows[s]: states (B, F, …), rows, starts (S,) -> (S, n_frames, …).

    Raises IndexError for a slice that reaches past the padded length.
    """
    index = starts.unsqueeze(1) + torch.arange(n_frames, device=starts.device)
    if len(index) and int(index.max()) >= states.shape[1]:
        raise IndexError(f"a slice ends at frame {int(index.max()) + 1} of {states.shape[1]}")
    return states[rows.unsqueeze(1), index]
