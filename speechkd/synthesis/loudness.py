"""Effort and loudness: how a mel sounds when it is said more forcefully, and samples that never clip. Numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from speechkd.audio.filters import mel_corners_hz
from speechkd.audio.presets import MelPreset

FloatArray = npt.NDArray[np.float32]
# Who speaks louder raises what is above a few hundred hertz by more than the rest (Nordenberg and Sundberg, "Effect on
# LTAS of vocal loudness variation", 2004). From here to there the share below is added; its size is ours.
_TILT_FROM_HZ, _TILT_TO_HZ = 700.0, 3000.0
_TILT = 0.3
# Samples up to here pass as they are; louder ones are bent towards 1.
_KNEE = 0.8


def with_effort(mel: FloatArray, energy: float, preset: MelPreset) -> FloatArray:
    """A mel (F, n_mels), natural log, said with `energy` times the force; its level stays, for a gain to follow."""
    if energy == 1.0:
        return mel
    corners_hz = mel_corners_hz(preset.n_mels, preset.fmin_hz, preset.fmax_hz)
    tilt = _TILT * np.log(energy) * _tilted(corners_hz[1:-1])
    changed = mel + tilt.astype(np.float32)
    widths_hz = corners_hz[2:] - corners_hz[:-2]
    return changed + np.float32(0.5 * (_log_power(mel, widths_hz) - _log_power(changed, widths_hz)))


def limited(samples: FloatArray) -> FloatArray:
    """Samples (T,) of any size in [-1, 1]: as they are up to 0.8, above it bent, each by itself."""
    loud = np.abs(samples) - np.float32(_KNEE)
    if loud.max(initial=0.0) <= 0.0:
        return samples
    room = np.float32(1.0 - _KNEE)
    bent = np.sign(samples) * (np.float32(_KNEE) + room * np.tanh(loud / room))
    return np.where(loud > 0.0, bent, samples).astype(np.float32)


def _tilted(centres_hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """0 to 1 over the bands (n_mels,), by the logarithm of their frequency."""
    octaves = np.log(np.maximum(centres_hz, 1.0) / _TILT_FROM_HZ) / np.log(_TILT_TO_HZ / _TILT_FROM_HZ)
    return np.clip(octaves, 0.0, 1.0)


def _log_power(mel: FloatArray, widths_hz: npt.NDArray[np.float64]) -> float:
    """Of all frames together; a band's value is a mean over its width."""
    return float(np.log((np.exp(2.0 * mel.astype(np.float64)) * widths_hz).sum()))
