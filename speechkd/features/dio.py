"""DIO: fundamental frequency from the zero crossings of band-limited speech, the same numbers as WORLD's, sooner.

Source: Morise, Kawahara, Katayose, "Fast and reliable F0 estimation method based on the period extraction of vocal fold
vibration of singing voice and speech" (AES 2009), with the constants and the contour clean-up of WORLD's own `dio`.
WORLD transforms every filter anew for every recording, at the next power of two; here the filters of a transform length
are kept and all bands are filtered in one go. What differs is rounding, about 1e-10 of F0.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft

Array = npt.NDArray[np.floating]

FLOOR_HZ, CEIL_HZ = 71.0, 800.0
CHANNELS_PER_OCTAVE = 2.0
ALLOWED_STEP = 0.1  # the relative change of F0 from frame to frame that still counts as one contour
_LOW_CUT_HZ = 50.0
_NO_SCORE = 100000.0
_TINY = 1e-12
_NUTTALL = (0.355768, -0.487396, 0.144232, -0.012604)
_LEAST_INTERVALS = 3


def dio(samples: Array, sample_rate: int, frame_period_ms: float) -> tuple[Array, Array]:
    """F0 in Hz, 0 where unvoiced, and times in seconds, of samples (T,): two arrays (1 + floor(T / period),)."""
    n_frames = 1 + int(1000.0 * len(samples) / sample_rate / frame_period_ms)
    times_s = np.arange(n_frames, dtype=np.float64) * (frame_period_ms / 1000.0)
    bands = [_band(filtered, sample_rate, times_s, top) for filtered, top in _filtered(samples, sample_rate)]
    candidates, scores = (np.stack(part) for part in zip(*bands, strict=True))
    best = candidates[scores.argmin(axis=0), np.arange(n_frames)]
    return _clean(best, candidates, frame_period_ms), times_s


def _band_tops_hz() -> Array:
    count = 1 + int(np.log2(CEIL_HZ / FLOOR_HZ) * CHANNELS_PER_OCTAVE)
    return FLOOR_HZ * 2.0 ** (np.arange(1, count + 1) / CHANNELS_PER_OCTAVE)


def _filtered(samples: Array, sample_rate: int) -> list[tuple[Array, float]]:
    """The samples below each band's top frequency, which comes with them."""
    length = len(samples) + 1  # WORLD counts one sample more, and so does its mean
    tops = _band_tops_hz()
    longest = 4 * _half_period(sample_rate, tops[0]) + 2 * _low_cut_reach(sample_rate) + 1
    size = _transform_size(length + longest)
    mean = samples.sum() / length
    signal = np.zeros(size)
    signal[: len(samples)] = samples
    signal[:length] -= mean
    filters, advance = _filters(sample_rate, size)
    rows = irfft(rfft(signal) * advance * filters, n=size)[:, :length]
    return list(zip(rows, tops, strict=True))


def _transform_size(least: int) -> int:
    """The smallest 4, 5, 6 or 7 times a power of two that holds `least`: few sizes, so that the filters are reused."""
    power = 2 ** max(0, (least - 1).bit_length() - 3)
    return power * -(-least // power)


def _half_period(sample_rate: int, frequency_hz: float) -> int:
    return int(sample_rate / frequency_hz / 2 + 0.5)


def _low_cut_reach(sample_rate: int) -> int:
    return int(sample_rate / _LOW_CUT_HZ + 0.5)


@lru_cache(maxsize=8)
def _filters(sample_rate: int, size: int) -> tuple[Array, npt.NDArray[np.complex128]]:
    """Spectra (bands, size // 2 + 1) of the low-pass filters, the low cut included, and their common phase.

    They are symmetric around a point half a sample before zero, so that all but that half sample is real.
    """
    advance = np.exp(1j * np.pi / size * np.arange(size // 2 + 1))
    rows = np.zeros((len(_band_tops_hz()), size))
    for row, top in zip(rows, _band_tops_hz(), strict=True):
        half = _half_period(sample_rate, top)
        phase = 2 * np.pi * np.arange(4 * half) / (4 * half - 1)
        row[: 4 * half] = sum(weight * np.cos(k * phase) for k, weight in enumerate(_NUTTALL))
        row[:] = np.roll(row, -2 * half)
    reach = _low_cut_reach(sample_rate)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, 2 * reach + 2) / (2 * reach + 2))
    low_cut = np.zeros(size)
    low_cut[: 2 * reach + 1] = -hann / hann.sum()
    low_cut = np.roll(low_cut, -reach)
    low_cut[0] += 1.0
    return (rfft(rows) / advance).real * rfft(low_cut).real, advance


def _band(filtered: Array, sample_rate: int, times_s: Array, top_hz: float) -> tuple[Array, Array]:
    """F0 candidates (frames,) of one band and how little its four kinds of events agree on them (0 is full accord)."""
    slope = np.diff(filtered)
    contours = []
    for signal, sign in ((filtered, 1), (filtered, -1), (slope, -1), (slope, 1)):
        places_s, rates_hz = _intervals(signal, sign, sample_rate)
        if len(rates_hz) < _LEAST_INTERVALS:
            return np.zeros(len(times_s)), np.full(len(times_s), _NO_SCORE / _TINY)
        contours.append(_interpolate(times_s, places_s, rates_hz))
    candidate = np.mean(contours, axis=0)
    score = np.std(contours, axis=0, ddof=1)
    lowest, highest = max(top_hz / 2.0, FLOOR_HZ), min(top_hz, CEIL_HZ)
    outside = (candidate > highest) | (candidate < lowest)
    candidate[outside], score[outside] = 0.0, _NO_SCORE
    return candidate, score / (candidate + _TINY)


def _intervals(signal: Array, sign: int, sample_rate: int) -> tuple[Array, Array]:
    """Middles (s) and rates (Hz) of the intervals between crossings from above zero (sign 1), or from below (-1)."""
    above = signal > 0 if sign > 0 else signal < 0
    before = np.flatnonzero(above[:-1] & ~above[1:])
    start, stop = signal[before], signal[before + 1]
    crossings = before + 1 - start / (stop - start)
    return (crossings[:-1] + crossings[1:]) / (2.0 * sample_rate), sample_rate / np.diff(crossings)


def _interpolate(at: Array, places: Array, values: Array) -> Array:
    """Linear interpolation, continued beyond both ends."""
    left = np.clip(np.searchsorted(places, at, side="right") - 1, 0, len(places) - 2)
    share = (at - places[left]) / (places[left + 1] - places[left])
    return np.asarray(values[left] + share * (values[left + 1] - values[left]))


def _clean(best: Array, candidates: Array, frame_period_ms: float) -> Array:
    """Keep the smooth and long parts of the contour, then continue each at both ends while a candidate fits."""
    shortest = int(0.5 + 1000.0 / frame_period_ms / FLOOR_HZ) * 2 + 1
    if len(best) <= shortest:
        return np.zeros(len(best))
    base = best.copy()
    base[:shortest] = base[len(base) - shortest :] = 0.0
    previous = np.concatenate([[0.0], base[:-1]])
    smooth = np.where(np.abs((base - previous) / (_TINY + base)) < ALLOWED_STEP, base, 0.0)
    smooth[:shortest] = 0.0
    kept = np.where(_whole_neighbourhood(smooth > 0, (shortest - 1) // 2), smooth, 0.0)
    voiced = kept > 0
    starts = np.flatnonzero(voiced[1:] & ~voiced[:-1]) + 1
    ends = np.flatnonzero(voiced[:-1] & ~voiced[1:])
    for end, limit in zip(ends, [*ends[1:], len(kept) - 1], strict=False):
        _continue(kept, candidates, range(end, limit), 1)
    for start, limit in reversed(list(zip(starts, [1, *starts], strict=False))):
        _continue(kept, candidates, range(start, limit, -1), -1)
    return kept


def _whole_neighbourhood(voiced: npt.NDArray[np.bool_], reach: int) -> npt.NDArray[np.bool_]:
    """True where all frames within `reach` are voiced; the outermost frames stay as they are."""
    counts = np.concatenate([[0], np.cumsum(voiced)])
    width = 2 * reach + 1
    result = voiced.copy()
    result[reach : len(voiced) - reach] = counts[width:] - counts[:-width] == width
    return result


def _continue(contour: Array, candidates: Array, frames: range, step: int) -> None:
    """Extend a contour in place, frame by frame, by the candidate nearest to its straight continuation."""
    for frame in frames:
        expected = (3.0 * contour[frame] - contour[frame - step]) / 2.0
        column = candidates[:, frame + step]
        nearest = column[np.abs(column - expected).argmin()]
        fits = abs(nearest - expected) <= ALLOWED_STEP * abs(expected)
        contour[frame + step] = nearest if fits else 0.0
        if contour[frame + step] == 0.0:
            return
