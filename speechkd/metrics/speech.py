"""How far two recordings of the same words are apart, and how far predicted mels and durations are off.

`speech_distance` compares at 22,050 Hz after peak normalisation to 0.95, with a centred 1024/256 Hann STFT,
80 Slaney mels from 0 to 8000 Hz and ln(max(x, 1e-5)); silence 40 dB under the peak is trimmed from both ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from speechkd.audio.io import read_audio, resample
from speechkd.audio.world import import_pyworld
from speechkd.errors import DataError, UsageError
from speechkd.metrics.cepstra import distortion_db, mel_cepstra
from speechkd.metrics.dtw import euclidean_cost, warping_path

Signal = npt.NDArray[np.float64]

SAMPLE_RATE = 22050
N_FFT = 1024
HOP_SAMPLES = 256
N_MELS = 80
FMAX_HZ = 8000.0
LOG_FLOOR = 1e-5
PEAK = 0.95
TRIM_DB = 40.0


@dataclass(frozen=True)
class SpeechDistance:
    """Distances of recording b from recording a, along the DTW path of their cepstra.

    `mcd_dtw_db`: mel cepstral distortion in dB. `f0_rmse_cents`: over path steps where both are voiced, NaN if
    there is none. `voicing_error`: share of steps where only one is voiced. `length_ratio`: frames of b / frames of a.
    """

    mcd_dtw_db: float
    f0_rmse_cents: float
    voicing_error: float
    length_ratio: float


def speech_distance(
    a: Path | str | npt.ArrayLike, b: Path | str | npt.ArrayLike, sample_rate: int | tuple[int, int] | None = None
) -> SpeechDistance:
    """Distance of b from a, each a path or samples (T,); samples need `sample_rate` in Hz (one, or one each).

    Raises DataError for unreadable or silent audio, UsageError for samples without a rate.
    """
    rate_a, rate_b = sample_rate if isinstance(sample_rate, tuple) else (sample_rate, sample_rate)
    cepstra_a, f0_a = _features(_prepare(a, rate_a))
    cepstra_b, f0_b = _features(_prepare(b, rate_b))
    i, j = warping_path(euclidean_cost(cepstra_a, cepstra_b))
    distances_db = distortion_db(cepstra_a[i], cepstra_b[j])
    rmse_cents, voicing_error = _compare_f0(f0_a[i], f0_b[j])
    return SpeechDistance(float(distances_db.mean()), rmse_cents, voicing_error, len(cepstra_b) / len(cepstra_a))


def _compare_f0(f0_a: Signal, f0_b: Signal) -> tuple[float, float]:
    """RMSE in cents where both are voiced, and the share of steps with different voicing; f0 (steps,) in Hz."""
    voiced_a, voiced_b = f0_a > 0, f0_b > 0
    both = voiced_a & voiced_b
    voicing_error = float(np.mean(voiced_a != voiced_b))
    if not both.any():
        return float("nan"), voicing_error
    cents = 1200.0 * np.log2(f0_a[both] / f0_b[both])
    return float(np.sqrt(np.mean(np.square(cents)))), voicing_error


def _prepare(source: Path | str | npt.ArrayLike, sample_rate: int | None) -> Signal:
    """Samples at 22,050 Hz with peak 0.95 and without outer silence."""
    if isinstance(source, Path | str):
        name = str(source)
        signal = read_audio(Path(source), SAMPLE_RATE).samples
    else:
        if sample_rate is None:
            raise UsageError("speech_distance was given samples without a sample rate", todo="Pass sample_rate")
        name = "samples"
        signal = np.asarray(source, dtype=np.float32)
        if sample_rate != SAMPLE_RATE:
            signal = resample(signal, sample_rate, SAMPLE_RATE)
    peak = float(np.abs(signal).max(initial=0.0))
    if peak < 1e-9:
        raise DataError("nothing to compare", where=name, why="the recording is silent")
    return trim_silence(signal.astype(np.float64) * (PEAK / peak))


def _frames(signal: Signal) -> Signal:
    """Centred frames of signal (T,), zero-padded: (1 + T // hop, n_fft)."""
    padded = np.pad(signal, N_FFT // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_SAMPLES]


def trim_silence(signal: Signal) -> Signal:
    """Cut leading and trailing frames whose RMS lies 40 dB or more under the loudest frame's. signal: (T,)."""
    power = np.square(_frames(signal)).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10.0 ** (-TRIM_DB / 10.0))
    return signal[loud[0] * HOP_SAMPLES : min(len(signal), (loud[-1] + 1) * HOP_SAMPLES)]


@lru_cache(maxsize=1)
def _mel_basis() -> Signal:
    from librosa.filters import mel

    return np.asarray(mel(sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS, fmin=0.0, fmax=FMAX_HZ), dtype=np.float64)


def _cepstra(signal: Signal) -> Signal:
    """Mel cepstra c1..c13 of signal (T,): (frames, 13)."""
    from scipy.signal.windows import hann

    magnitude = np.abs(np.fft.rfft(_frames(signal) * hann(N_FFT, sym=False), axis=1))
    return mel_cepstra(np.log(np.maximum(magnitude @ _mel_basis().T, LOG_FLOOR)))


def _f0(signal: Signal) -> Signal:
    """F0 in Hz by DIO and StoneMask, 0 where unvoiced; signal (T,) gives (1 + T // hop,) values at i * hop."""
    pyworld = import_pyworld()

    f0, times = pyworld.dio(signal, SAMPLE_RATE, frame_period=1000.0 * HOP_SAMPLES / SAMPLE_RATE)
    return np.asarray(pyworld.stonemask(signal, f0, times, SAMPLE_RATE))


def _features(signal: Signal) -> tuple[Signal, Signal]:
    cepstra, f0_hz = _cepstra(signal), _f0(signal)
    n_frames = min(len(cepstra), len(f0_hz))
    return cepstra[:n_frames], f0_hz[:n_frames]


def mel_l1(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Mean absolute difference of two log-mels (frames, n_mels); frames beyond the shorter one are left out."""
    mel_a, mel_b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if mel_a.ndim != 2 or mel_b.ndim != 2 or mel_a.shape[1] != mel_b.shape[1]:
        raise DataError("mels cannot be compared", why=f"their shapes are {mel_a.shape} and {mel_b.shape}")
    n_frames = min(len(mel_a), len(mel_b))
    if not n_frames:
        raise DataError("mels cannot be compared", why="one of them has no frames")
    return float(np.abs(mel_a[:n_frames] - mel_b[:n_frames]).mean())


def duration_mae_ms(true: npt.ArrayLike, predicted: npt.ArrayLike, hop_s: float) -> float:
    """Mean absolute error in ms of predicted token durations (T,), both in frames of `hop_s` seconds."""
    expected, found = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if expected.shape != found.shape or not expected.size:
        raise DataError("durations cannot be compared", why=f"their shapes are {expected.shape} and {found.shape}")
    return float(np.abs(expected - found).mean() * hop_s * 1000.0)
