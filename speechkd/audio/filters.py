"""Slaney's triangular mel filters, as librosa has them, without the seconds that importing librosa takes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Slaney's scale (Auditory Toolbox, 1998): linear up to 1000 Hz, 15 mel; logarithmic above, 27 mel per factor of 6.4.
_LINEAR_HZ_PER_MEL = 200.0 / 3
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def _mel_of_hz(hz: float) -> float:
    if hz < _KNEE_HZ:
        return hz / _LINEAR_HZ_PER_MEL
    return float(_KNEE_MEL + np.log(hz / _KNEE_HZ) / _LOG_STEP)


def _hz_of_mel(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mel < _KNEE_MEL, _LINEAR_HZ_PER_MEL * mel, _KNEE_HZ * np.exp(_LOG_STEP * (mel - _KNEE_MEL)))


def mel_corners_hz(n_mels: int, fmin_hz: float, fmax_hz: float) -> npt.NDArray[np.float64]:
    """Where the triangles begin and end (n_mels + 2,): that of band k from corner k to k + 2, its top at k + 1."""
    return _hz_of_mel(np.linspace(_mel_of_hz(fmin_hz), _mel_of_hz(fmax_hz), n_mels + 2))


def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin_hz: float, fmax_hz: float | None = None
) -> npt.NDArray[np.float32]:
    """Triangles of equal area, evenly spaced in mel from `fmin_hz` to `fmax_hz` (None: half the rate).

    Returns (n_mels, n_fft // 2 + 1).
    """
    top_hz = sample_rate / 2 if fmax_hz is None else float(fmax_hz)
    corners_hz = mel_corners_hz(n_mels, float(fmin_hz), top_hz)
    bins_hz = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    ramps = np.subtract.outer(corners_hz, bins_hz)
    widths = np.diff(corners_hz)
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    areas = 2.0 / (corners_hz[2 : n_mels + 2] - corners_hz[:n_mels])
    return (triangles * areas[:, None]).astype(np.float32)
