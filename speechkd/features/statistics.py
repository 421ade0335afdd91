"""Corpus statistics of the training utterances: the scales and bins of a model.

They come out the same to the last bit in any order of the utterances and however the work was cut, and take the same
memory for ten utterances and for a hundred thousand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError
from speechkd.features.logarithm import log_hz
from speechkd.features.running import PitchHistogram, RunningStatistics

# Octave errors of the pitch tracker must not stretch all bins: the range leaves out this share at either end.
F0_TAIL_PER_MILLE = 2
_LEAST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Statistics:
    """Scales of log F0 (voiced frames only), energy and mel."""

    f0_min_hz: float
    f0_max_hz: float
    log_f0_mean: float
    log_f0_deviation: float
    energy_min: float
    energy_max: float
    energy_mean: float
    energy_deviation: float
    mel_mean: tuple[float, ...]
    mel_deviation: tuple[float, ...]

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), sort_keys=True, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Statistics:
        """Read what `write` wrote."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name in ("mel_mean", "mel_deviation"):
            values[name] = tuple(values[name])
        return cls(**values)


Utterance = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]


class StatisticsCollector:
    """Takes in utterances, one by one or as other collectors that have seen some, and sums them up."""

    def __init__(self) -> None:
        self.log_f0, self.energy, self.f0 = RunningStatistics(), RunningStatistics(), PitchHistogram()
        self.mel: RunningStatistics | None = None

    def add(self, mel: npt.NDArray[Any], f0_hz: npt.NDArray[Any], energy: npt.NDArray[Any]) -> None:
        """Take in one utterance: mel (F, M), f0_hz (F,), energy (F,). Only voiced frames count for F0."""
        if self.mel is None:
            self.mel = RunningStatistics(mel.shape[1])
        voiced = f0_hz[f0_hz > 0].astype(np.float64)
        self.mel.add(mel)
        self.log_f0.add(log_hz(voiced))
        self.f0.add(voiced)
        self.energy.add(energy)

    def merge(self, other: StatisticsCollector) -> None:
        """Take in all that another collector has seen."""
        self.log_f0.merge(other.log_f0)
        self.energy.merge(other.energy)
        self.f0.merge(other.f0)
        if other.mel is not None:
            self.mel = self.mel or RunningStatistics(other.mel.size)
            self.mel.merge(other.mel)

    def to_json(self) -> dict[str, Any]:
        """All that was seen, as JSON can hold it, to the last bit."""
        return {
            "log_f0": self.log_f0.to_json(),
            "energy": self.energy.to_json(),
            "mel": self.mel.to_json() if self.mel is not None else None,
            "f0": {str(place): int(self.f0.counts[place]) for place in np.flatnonzero(self.f0.counts)},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> StatisticsCollector:
        """Undo `to_json`."""
        made = cls()
        made.log_f0 = RunningStatistics.from_json(data["log_f0"])
        made.energy = RunningStatistics.from_json(data["energy"])
        made.mel = RunningStatistics.from_json(data["mel"]) if data["mel"] is not None else None
        for place, count in data["f0"].items():
            made.f0.counts[int(place)] = count
        return made

    def statistics(self) -> Statistics:
        """The sums as scales. DataError if fewer than two voiced frames were seen."""
        if self.mel is None or self.log_f0.count < 2:
            raise DataError(
                "no voiced frame in the training set", why="the pitch tracker found no speech in any utterance"
            )
        f0_min_hz, f0_max_hz = self.f0.bounds_hz(F0_TAIL_PER_MILLE)
        return Statistics(
            f0_min_hz=f0_min_hz,
            f0_max_hz=f0_max_hz,
            log_f0_mean=float(self.log_f0.mean[0]),
            log_f0_deviation=max(float(self.log_f0.deviation[0]), _LEAST_DEVIATION),
            energy_min=float(self.energy.minimum[0]),
            energy_max=float(self.energy.maximum[0]),
            energy_mean=float(self.energy.mean[0]),
            energy_deviation=max(float(self.energy.deviation[0]), _LEAST_DEVIATION),
            mel_mean=tuple(self.mel.mean.tolist()),
            mel_deviation=tuple(np.maximum(self.mel.deviation, _LEAST_DEVIATION).tolist()),
        )


def corpus_statistics(utterances: Iterable[Utterance]) -> Statistics:
    """Statistics of (mel (F, M), f0_hz (F,), energy (F,)) triples; DataError if none has a voiced frame."""
    collector = StatisticsCollector()
    for mel, f0_hz, energy in utterances:
        collector.add(mel, f0_hz, energy)
    return collector.statistics()
