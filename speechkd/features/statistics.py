"""Corpus statistics of the training utterances: the scales and bins of a model.

Values are gathered per utterance and reduced in order of id, so they do not depend on how the work was cut.
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

# One octave error of the pitch tracker must not stretch all bins: the range leaves out this share at either end.
F0_TAIL_PERCENT = 0.2


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


def corpus_statistics(utterances: Iterable[Utterance]) -> Statistics:
    """Statistics of (mel (F, M), f0_hz (F,), energy (F,)) triples, in the order given."""
    f0s, energies, mel_sums, mel_squares = [], [], [], []
    for mel, f0_hz, energy in utterances:
        f0s.append(f0_hz[f0_hz > 0])
        energies.append(energy)
        mel_sums.append(mel.sum(axis=0, dtype=np.float64))
        mel_squares.append(np.square(mel, dtype=np.float64).sum(axis=0))
    f0 = np.concatenate(f0s or [np.zeros(0)]).astype(np.float64)
    if len(f0) < 2:
        raise DataError("no voiced frame in the training set", why="the pitch tracker found no speech in any utterance")
    energy_all = np.concatenate(energies).astype(np.float64)
    mel_mean = np.sum(mel_sums, axis=0) / len(energy_all)
    mel_variance = np.sum(mel_squares, axis=0) / len(energy_all) - mel_mean**2
    low, high = np.percentile(f0, [F0_TAIL_PERCENT, 100 - F0_TAIL_PERCENT])
    return Statistics(
        f0_min_hz=float(low),
        f0_max_hz=float(high),
        log_f0_mean=float(np.log(f0).mean()),
        log_f0_deviation=float(max(np.log(f0).std(), 1e-3)),
        energy_min=float(energy_all.min()),
        energy_max=float(energy_all.max()),
        energy_mean=float(energy_all.mean()),
        energy_deviation=float(max(energy_all.std(), 1e-6)),
        mel_mean=tuple(mel_mean.tolist()),
        mel_deviation=tuple(np.sqrt(np.maximum(mel_variance, 1e-6)).tolist()),
    )
