"""Pitch and energy: predicted, quantised, embedded (FastSpeech 2, section 2.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from speechkd.features.bins import PitchBins, UniformBins
from speechkd.features.logarithm import hz_of_log
from speechkd.features.wavelet import N_SCALES, reconstruct, scale_weights
from speechkd.models.common.config import PredictorConfig
from speechkd.models.common.fft import VariancePredictor
from speechkd.models.common.masks import masked_mean
from speechkd.models.tts.config import EnergyConfig, PitchConfig


@dataclass
class PitchPrediction:
    """What the pitch predictor said, and the embedding of the pitch that was used."""

    values: Tensor  # (B, P, 10) wavelet transform, or (B, P, 1) log F0 in corpus deviations
    voicing: Tensor  # (B, P) logit of being voiced
    statistics: Tensor | None  # (B, 2) mean and deviation of log F0 in corpus deviations, for the wavelet transform
    f0_hz: Tensor  # (B, P) the contour that was embedded
    voiced: Tensor  # (B, P) bool, where it was voiced
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
        config: PitchConfig,
        range_hz: tuple[float, float],
        log_scale: tuple[float, float],
    ) -> None:
        super().__init__()
        self.level, self.target, self.log_scale = config.level, config.target, log_scale
        self.bins = PitchBins(*range_hz, config.bins)
        self.predictor = VariancePredictor(channels, predictor, (N_SCALES if self.target == "cwt" else 1) + 1)
        self.embedding = nn.Embedding(config.bins + 1, channels)
        if self.target == "cwt":
            self.statistics = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, 2))
            weights = torch.from_numpy(scale_weights(config.inverse, config.smallest_scale_frames)).float()
            self.register_buffer("scale_weights", weights, persistent=False)

    def forward(
        self,
        states: Tensor,
        mask: Tensor,
        true: tuple[Tensor, Tensor] | None,
        control: float,
        own: Tensor | None = None,
    ) -> PitchPrediction:
        """states: (B, P, C), mask: (B, P); true: F0 in Hz and voicing (B, P), used instead of the prediction.

        own: (B,) bool, rows that hear the prediction nevertheless.
        """
        output = self.predictor(states, mask).float()
        values, voicing = output[..., :-1], output[..., -1]
        statistics = self.statistics(masked_mean(states, mask)).float() if self.target == "cwt" else None
        if true is None or own is not None:
            f0_hz, voiced = self._contour(values, statistics, mask) * control, voicing > 0
        if true is not None:
            f0_hz, voiced = true if own is None else _mixed((f0_hz, voiced), true, own)
        embedded = self.embedding(self._places(f0_hz, voiced))
        return PitchPrediction(values, voicing, statistics, f0_hz, voiced, embedded)

    def _contour(self, values: Tensor, statistics: Tensor | None, mask: Tensor) -> Tensor:
        mean, deviation = self.log_scale
        if statistics is None:
            return hz_of_log(mean + deviation * values.squeeze(-1))
        contour = reconstruct(values, self.scale_weights, mask)  # type: ignore[arg-type]
        own_mean, own_deviation = mean + deviation * statistics[:, :1], deviation * statistics[:, 1:].clamp(min=0.0)
        return hz_of_log(own_mean + own_deviation * contour)

    def _places(self, f0_hz: Tensor, voiced: Tensor) -> Tensor:
        index = 1 + self.bins.index(f0_hz)
        # A token is not unvoiced as a whole: only frames carry the flag.
        return index * voiced if self.level == "frame" else index


class EnergyAdaptor(nn.Module):
    """Predicts energy and adds its quantised embedding; bins are uniform over the corpus range."""

    def __init__(
        self,
        channels: int,
        predictor: PredictorConfig,
        config: EnergyConfig,
        value_range: tuple[float, float],
        scale: tuple[float, float],
    ) -> None:
        super().__init__()
        self.level, self.scale = config.level, scale
        self.bins = UniformBins(*value_range, config.bins)
        self.predictor = VariancePredictor(channels, predictor, 1)
        self.embedding = nn.Embedding(config.bins, channels)

    def forward(
        self, states: Tensor, mask: Tensor, true: Tensor | None, control: float, own: Tensor | None = None
    ) -> EnergyPrediction:
        """states: (B, P, C), mask: (B, P); true: energy (B, P), used instead of the prediction.

        own: (B,) bool, rows that hear the prediction nevertheless.
        """
        values = self.predictor(states, mask).squeeze(-1).float()
        mean, deviation = self.scale
        energy = (mean + deviation * values) * control
        if true is not None:
            energy = true if own is None else torch.where(own.unsqueeze(1), energy, true)
        return EnergyPrediction(values, self.embedding(self.bins.index(energy)))


def _mixed(predicted: tuple[Tensor, Tensor], true: tuple[Tensor, Tensor], own: Tensor) -> tuple[Tensor, Tensor]:
    """What is predicted in rows of `own`, what is true in the others."""
    f0_hz, voiced = (torch.where(own.unsqueeze(1), *pair) for pair in zip(predicted, true, strict=True))
    return f0_hz, voiced
