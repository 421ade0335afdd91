"""Quantising: equal bins between two bounds, for the embeddings of pitch and energy (FastSpeech 2, section 2.3).

Bins are found by arithmetic, not by searching edges, so that a model exports to ONNX.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speechkd.features.logarithm import hz_of_log, log_hz

if TYPE_CHECKING:
    from torch import Tensor

# Bounds may coincide: a robot's monotone is one note. Its bins are then this wide, and still no division by zero.
_LEAST_WIDTH = 1e-6


@dataclass(frozen=True)
class UniformBins:
    """`count` bins of one width from `low` to `high`; values beyond belong to the outermost bins."""

    low: float
    high: float
    count: int

    @property
    def width(self) -> float:
        """Of one bin, in the unit of the bounds."""
        return max((self.high - self.low) / self.count, _LEAST_WIDTH)

    def index(self, values: Tensor) -> Tensor:
        """The bin of each value, 0 … count - 1, as int64, of the same shape."""
        return ((values - self.low) / self.width).floor().clamp(0, self.count - 1).long()

    def centre(self, index: Tensor) -> Tensor:
        """The middle of each bin: at most half a width from any value between the bounds that fell into it."""
        return self.low + (index + 0.5) * self.width


@dataclass(frozen=True)
class PitchBins:
    """`count` bins from `low_hz` to `high_hz`, each the same musical interval wide. They take Hz and give Hz."""

    low_hz: float
    high_hz: float
    count: int

    @property
    def log(self) -> UniformBins:
        """The same bins over log F0."""
        return UniformBins(math.log(self.low_hz), math.log(self.high_hz), self.count)

    def index(self, f0_hz: Tensor) -> Tensor:
        """The bin of each F0 in Hz, 0 … count - 1, as int64."""
        return self.log.index(log_hz(f0_hz))

    def centre(self, index: Tensor) -> Tensor:
        """F0 in Hz in the (geometric) middle of each bin."""
        return hz_of_log(self.log.centre(index))
