"""Another pitch for a vocoder of pulses and filters: the same vocal tract over other pulses. Numpy, no torch.

A mel of 80 bands resolves the low harmonics of a voice, so the filter that a network finds in it stands high at the
harmonics of the old pitch. Between those of a new one it would play the old one. Its power is therefore averaged over
one harmonic's width (as in STRAIGHT and WORLD's CheapTrick: Kawahara et al., 1999; Morise, 2015); its phase stays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechkd.models.vocoder.istft_config import IstftConfig

Array = NDArray[np.float32]
# Under a power that something is divided by.
_TINY = 1e-12


def envelope_gain(real: Array, imaginary: Array, f0_hz: Array, config: IstftConfig) -> Array:
    """What a filter (F, bins) is multiplied with to lose the harmonics of its pitch (F,): (F, bins)."""
    power = real * real + imaginary * imaginary
    width = np.maximum(f0_hz * (config.n_fft / config.sample_rate), 1.0)
    return np.sqrt((_averaged(power, width) + _TINY) / (power + _TINY)).astype(np.float32)


def level_gain(factor: Array) -> Array:
    """What keeps the power of pulses whose pitch is multiplied: the square root, as they are so many more or fewer."""
    return np.sqrt(factor).astype(np.float32)


def _averaged(values: Array, width: NDArray[np.floating]) -> NDArray[np.float64]:
    """values (F, N) averaged over `width` (F,) places around each; mirrored at both ends."""
    n = values.shape[1]
    mirrored = np.concatenate([values[:, :0:-1], values, values[:, -2::-1]], axis=1)
    sums = np.zeros((len(values), mirrored.shape[1] + 1))
    np.cumsum(mirrored, axis=1, out=sums[:, 1:], dtype=np.float64)
    middles = np.arange(n) + n - 0.5  # of the places of `values`, in the running sum
    half = 0.5 * np.minimum(width, n)[:, None]
    return (_between(sums, middles + half) - _between(sums, middles - half)) / (2.0 * half)


def _between(sums: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """sums (F, M) at places (F, N) that are no whole numbers: straight lines between."""
    below = places.astype(np.int64)
    share = places - below
    low, high = (np.take_along_axis(sums, np.minimum(below + one, sums.shape[1] - 1), axis=1) for one in (0, 1))
    return low + share * (high - low)
