"""Fundamental frequency: extraction and the continuous contour (FastSpeech 2, Ren et al., ICLR 2021, section 2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from speechkd.audio.world import import_pyworld
from speechkd.errors import DataError
from speechkd.features.logarithm import log_hz

Array = npt.NDArray[np.float32]

MIN_VOICED_FRAMES = 2


def extract_f0(
    samples: Array, sample_rate: int, hop_samples: int, n_frames: int, method: Literal["dio", "harvest"] = "dio"
) -> Array:
    """F0 in Hz per frame, 0 where unvoiced: (n_frames,).

    DIO or Harvest of WORLD followed by StoneMask, sampled at the centre of each mel frame, (t + 0.5) * hop.
    """
    pyworld = import_pyworld()

    from speechkd.features.dio import dio

    audio = samples.astype(np.float64)
    # WORLD samples at multiples of the frame period; half a hop of silence in front puts sample 0 of that grid
    # on the first frame's centre.
    lead = np.zeros(hop_samples - hop_samples // 2)
    audio = np.concatenate([lead, audio])
    period_ms = 1000.0 * hop_samples / sample_rate
    if method == "harvest":
        f0, times = pyworld.harvest(audio, sample_rate, frame_period=period_ms)
    else:
        f0, times = dio(audio, sample_rate, period_ms)
    f0 = pyworld.stonemask(audio, f0, times, sample_rate)[1:]
    padded = np.zeros(n_frames, dtype=np.float32)
    padded[: min(n_frames, len(f0))] = f0[:n_frames]
    return padded


@dataclass(frozen=True)
class Contour:
    """A continuous log-F0 contour: `normalised` (frames,) of mean 0, deviation 1; log F0 = mean + deviation * it."""

    normalised: Array
    mean: float
    deviation: float


def continuous_contour(f0_hz: Array) -> Contour:
    """Log F0 with unvoiced frames filled by linear interpolation (edges held), normalised per utterance.

    Raises DataError when fewer than two frames are voiced: there is nothing to interpolate.
    """
    log_f0 = log_hz(interpolate_unvoiced(f0_hz))
    mean, deviation = float(log_f0.mean()), float(max(log_f0.std(), 1e-4))
    return Contour(((log_f0 - mean) / deviation).astype(np.float32), mean, deviation)


def interpolate_unvoiced(f0_hz: Array) -> npt.NDArray[np.float64]:
    """F0 (frames,) with zeros replaced by linear interpolation between voiced neighbours, edges held."""
    voiced = np.flatnonzero(f0_hz > 0)
    if len(voiced) < MIN_VOICED_FRAMES:
        raise DataError(f"only {len(voiced)} voiced frames", why="no pitch contour can be drawn through them")
    return np.interp(np.arange(len(f0_hz)), voiced, f0_hz[voiced].astype(np.float64))
