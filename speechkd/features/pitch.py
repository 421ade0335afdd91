"""Fundamental frequency: extraction, the continuous contour, and its wavelet transform.

Source: FastSpeech 2 (Ren et al., ICLR 2021), section 2.3 and appendix D. Scales are counted in frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from speechkd.audio.world import import_pyworld
from speechkd.errors import DataError

Array = npt.NDArray[np.float32]

N_SCALES = 10
MIN_VOICED_FRAMES = 2
# The Mexican hat has no mass worth computing beyond this many scales from its centre.
_HAT_REACH_SCALES = 5.0


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
    log_f0 = np.log(interpolate_unvoiced(f0_hz))
    mean, deviation = float(log_f0.mean()), float(max(log_f0.std(), 1e-4))
    return Contour(((log_f0 - mean) / deviation).astype(np.float32), mean, deviation)


def interpolate_unvoiced(f0_hz: Array) -> npt.NDArray[np.float64]:
    """F0 (frames,) with zeros replaced by linear interpolation between voiced neighbours, edges held."""
    voiced = np.flatnonzero(f0_hz > 0)
    if len(voiced) < MIN_VOICED_FRAMES:
        raise DataError(f"only {len(voiced)} voiced frames", why="no pitch contour can be drawn through them")
    return np.interp(np.arange(len(f0_hz)), voiced, f0_hz[voiced].astype(np.float64))


@lru_cache(maxsize=N_SCALES)
def mexican_hat(scale_frames: int) -> npt.NDArray[np.float64]:
    """The wavelet ψ(x) = 2 / (√3 π^¼) (1 - x²) exp(-x² / 2), sampled per frame and divided by √scale."""
    reach = int(_HAT_REACH_SCALES * scale_frames)
    x = np.arange(-reach, reach + 1) / scale_frames
    hat = 2.0 / (np.sqrt(3.0) * np.pi**0.25) * (1.0 - x**2) * np.exp(-(x**2) / 2.0)
    return np.asarray(hat / np.sqrt(scale_frames))


def scales_frames() -> list[int]:
    """The ten scales 2, 4, …, 1024 in frames, one per octave."""
    return [2**i for i in range(1, N_SCALES + 1)]


def scale_weights() -> npt.NDArray[np.float64]:
    """(i + 2.5)^(-5/2) for i = 1..10: the weight of each scale in the reconstruction (section 2.3)."""
    return np.asarray((np.arange(1, N_SCALES + 1) + 2.5) ** -2.5)


def cwt(normalised: Array) -> Array:
    """Continuous wavelet transform of a normalised contour (frames,): (frames, 10), unweighted."""
    from scipy.signal import fftconvolve

    rows = [fftconvolve(normalised.astype(np.float64), mexican_hat(s), mode="same") for s in scales_frames()]
    return np.stack(rows, axis=1).astype(np.float32)


def inverse_cwt(wavelet: Array) -> Array:
    """Contour (frames,) of a transform (frames, 10): Σ W_i (i + 2.5)^(-5/2), brought back to mean 0, deviation 1."""
    contour = wavelet.astype(np.float64) @ scale_weights()
    return ((contour - contour.mean()) / max(contour.std(), 1e-8)).astype(np.float32)
