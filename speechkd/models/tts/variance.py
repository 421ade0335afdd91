"""Pitch and energy: predicted, quantised, embedded (FastSpeech 2, section 2.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from speechkd.models.common.config import PredictorConfig
from speechkd.models.common.fft import VariancePredictor
from speechkd.models.common.masks import masked_mean

N_SCALES = 10
Level = Literal["frame", "phoneme"]


@dataclass
class PitchPrediction:
    """What the pitch predictor said, and the embedding of the pitch that was used."""

    values: Tensor  # (B, P, 10) wavelet transform, or (B, P, 1) log F0 in corpus deviations
    voicing: Tensor  # (B, P) logit of being voiced
    statistics: Tensor | None  # (B, 2) mean and deviation of log F0 in corpus deviations, for the wavelet transform
    f0_hz: Tensor  # (B, P) the contour that was embedded
    embedded: Tensor  # (B, P, C)


@dataclass
class EnergyPrediction:
    """What the energy predictor said, and the embedding of the energy that was used."""

    values: Tensor  # (B, P) in corpus deviations
    embedded: Tensor  # (B, P, C)


class PitchAdaptor(nn.Module):
    """Predicts F0 and adds its quantised embedding.

    Index 0 of the embedding is "unvoiced"; 1..bins are log-spaced between the corpus extremes.
    """

    def __init__(
        self,
        channels: int,
        predictor: PredictorConfig,
        target: Literal["cwt", "f0"],
        level: Level,
        bins: int,
        range_hz: tuple[float, float],
        log_scale: tuple[float, float],
    ) -> None:
        super().__init__()
        self.level, self.bins, self.target = level, bins, target
        self.log_range = (math.log(range_hz[0]), math.log(range_hz[1]))
        self.log_scale = log_scale
        self.predictor = VariancePredictor(channels, predictor, (N_SCALES if target == "cwt" else 1) + 1)
        self.embedding = nn.Embedding(bins + 1, channels)
        if target == "cwt":
            self.statistics = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, 2))
            weights = (torch.arange(1, N_SCALES + 1) + 2.5) ** -2.5
            self.register_buffer("scale_weights", weights, persistent=False)

    def forward(
        self, states: Tensor, mask: Tensor, true: tuple[Tensor, Tensor] | None, control: float
    ) -> PitchPrediction:
        """states: (B, P, C), mask: (B, P); true: F0 in Hz and voicing (B, P), used instead of the prediction."""
        output = self.predictor(states, mask).float()
        values, voicing = output[..., :-1], output[..., -1]
        statistics = self.statistics(masked_mean(states, mask)).float() if self.target == "cwt" else None
        if true is not None:
            f0_hz, voiced = true
        else:
            f0_hz, voiced = self._contour(values, statistics, mask) * control, voicing > 0
        return PitchPrediction(values, voicing, statistics, f0_hz, self.embedding(self._bins(f0_hz, voiced)))

    def _contour(self, values: Tensor, statistics: Tensor | None, mask: Tensor) -> Tensor:
        mean, deviation = self.log_scale
        if statistics is None:
            return torch.exp(mean + deviation * values.squeeze(-1))
        contour = standardise(values @ self.scale_weights, mask)  # type: ignore[operator]
        own_mean, own_deviation = mean + deviation * statistics[:, :1], deviation * statistics[:, 1:].clamp(min=0.0)
        return torch.exp(own_mean + own_deviation * contour)

    def _bins(self, f0_hz: Tensor, voiced: Tensor) -> Tensor:
        low, high = self.log_range
        place = (torch.log(f0_hz.clamp(min=1e-3)) - low) / (high - low)
        index = 1 + (place * self.bins).floor().clamp(0, self.bins - 1).long()
        # A token is not unvoiced as a whole: only frames carry the flag.
        return index * voiced if self.level == "frame" else index


def standardise(contour: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and deviation 1 over the valid positions of each row: contour (B, P), mask (B, P)."""
    weights = mask.to(contour.dtype)
    count = weights.sum(dim=1, keepdim=True).clamp(min=1.0)
    centred = (contour - (contour * weights).sum(dim=1, keepdim=True) / count) * weights
    deviation = (centred.square().sum(dim=1, keepdim=True) / count).sqrt()
    return centred / deviation.clamp(min=1e-8)


class EnergyAdaptor(nn.Module):
    """Predicts energy and adds its quantised embedding; bins are uniform over the corpus range."""

    def __init__(
        self,
        channels: int,
        predictor: PredictorConfig,
        level: Level,
        bins: int,
        value_range: tuple[float, float],
        scale: tuple[float, float],
    ) -> None:
        super().__init__()
        self.level, self.bins, self.range, self.scale = level, bins, value_range, scale
        self.predictor = VariancePredictor(channels, predictor, 1)
        self.embedding = nn.Embedding(bins, channels)

    def forward(self, states: Tensor, mask: Tensor, true: Tensor | None, control: float) -> EnergyPrediction:
        """states: (B, P, C), mask: (B, P); true: energy (B, P), used instead of the prediction."""
        values = self.predictor(states, mask).squeeze(-1).float()
        mean, deviation = self.scale
        energy = true if true is not None else (mean + deviation * values) * control
        low, high = self.range
        index = ((energy - low) / (high - low) * self.bins).floor().clamp(0, self.bins - 1).long()
        return EnergyPrediction(values, self.embedding(index))
