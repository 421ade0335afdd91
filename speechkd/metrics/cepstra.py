"""Mel cepstra, and how far two mels are apart by them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError
from speechkd.metrics.dtw import euclidean_cost, warping_path

Array = npt.NDArray[np.float64]

N_CEPSTRA = 13


def mel_cepstra(log_mel: npt.ArrayLike) -> Array:
    """Cepstra c1 … c13 of a natural-log mel (F, n_mels), by an orthonormal DCT-II: (F, 13). c0 is the level."""
    from scipy.fft import dct

    return np.asarray(dct(np.asarray(log_mel, dtype=np.float64), type=2, norm="ortho", axis=1)[:, 1 : N_CEPSTRA + 1])


def distortion_db(a: Array, b: Array) -> Array:
    """Mel cepstral distortion of cepstra (F, 13) from others, frame by frame (F,): 10 / ln 10 · √(2 Σ Δc²) in dB.

    Kubichek, PacRim 1993.
    """
    return np.asarray(10.0 / np.log(10.0) * np.sqrt(2.0 * np.square(a - b).sum(axis=1)))


def mel_distortion_db(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Mean distortion in dB of two natural-log mels (F, n_mels) of the same timing.

    Frames past the shorter one are left out. Raises DataError where none is left.
    """
    first, second = mel_cepstra(a), mel_cepstra(b)
    n_frames = min(len(first), len(second))
    if not n_frames:
        raise DataError("mels cannot be compared", why="one of them has no frames")
    return float(distortion_db(first[:n_frames], second[:n_frames]).mean())


def mel_distortion_dtw_db(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """The same of two mels of any timing, along the path that brings their cepstra closest."""
    first, second = mel_cepstra(a), mel_cepstra(b)
    if not (len(first) and len(second)):
        raise DataError("mels cannot be compared", why="one of them has no frames")
    i, j = warping_path(euclidean_cost(first, second))
    return float(distortion_db(first[i], second[j]).mean())
