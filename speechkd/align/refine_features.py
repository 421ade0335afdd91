"""What the boundary network hears: log-mel frames that depend little on the speaker's level and microphone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16000
HOP_SAMPLES = 160
FRAME_S = HOP_SAMPLES / SAMPLE_RATE
N_MELS = 40

_WINDOW_SAMPLES = 400
_N_FFT = 512
_LOW_HZ, _HIGH_HZ = 60.0, 7600.0
# Quieter than the loudest frame by this much is silence all the same; synthetic speech has none of a room's noise.
_RANGE_DB = 70.0
_SPEECH_RANGE_DB = 30.0


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-mel (T, N_MELS) of `samples` (N,) at 16 kHz, in units of 10 dB; frame t is centred in [t, t + 1) x 10 ms.

    The mean over the frames of speech is taken off every band: gain and the colour of a microphone drop out.
    """
    half = (_WINDOW_SAMPLES - HOP_SAMPLES) // 2
    padded = np.pad(np.asarray(samples, np.float32), (half, half + HOP_SAMPLES))
    n_frames = len(samples) // HOP_SAMPLES
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW_SAMPLES)[::HOP_SAMPLES][:n_frames]
    spectrum = np.fft.rfft(frames * _window(), _N_FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ _filters()
    floor = max(float(power.max(initial=0.0)) * 10 ** (-_RANGE_DB / 10), 1e-12)
    logs = np.log10(np.maximum(power, floor))
    level = logs.mean(axis=1)
    speech = level > level.max(initial=-np.inf) - _SPEECH_RANGE_DB / 10
    mean = logs[speech].mean(axis=0) if speech.any() else 0.0
    centred: NDArray[np.float32] = (logs - mean).astype(np.float32)
    return centred


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float32]:
    return np.hanning(_WINDOW_SAMPLES + 1)[:-1].astype(np.float32)


@lru_cache(maxsize=1)
def _filters() -> NDArray[np.float32]:
    """Triangles (n_fft / 2 + 1, N_MELS), evenly spaced in mel = 2595 log10(1 + f / 700)."""
    limits = 2595 * np.log10(1 + np.array([_LOW_HZ, _HIGH_HZ]) / 700)
    edges = 700 * (10 ** (np.linspace(float(limits[0]), float(limits[1]), N_MELS + 2) / 2595) - 1)
    hz = np.arange(_N_FFT // 2 + 1) * SAMPLE_RATE / _N_FFT
    rising = (hz[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - hz[:, None]) / np.diff(edges)[1:]
    return np.maximum(np.minimum(rising, falling), 0.0).astype(np.float32)
