"""How near a vocoder's copy comes to its recording, sample by sample: the two are aligned, so nothing is warped.

PESQ and STOI come from the libraries `pesq` and `pystoi`, which are optional; periodicity, pitch and voicing are
measured as in CARGAN (Morrison et al., ICLR 2022, section 4.1), with another pitch tracker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from speechkd.audio.io import resample
from speechkd.audio.presets import MelPreset
from speechkd.errors import DataError, missing_extra
from speechkd.features.pitch import extract_f0
from speechkd.metrics.speech import mel_l1

Signal = npt.NDArray[np.floating[Any]]

WIDE_BAND_HZ = 16000
# Periodicity: frames every 10 ms at 16 kHz, compared over 40 ms with themselves 1.8 to 20 ms later (550 to 50 Hz).
_HOP, _WINDOW, _LEAST_LAG, _MOST_LAG = 160, 640, 29, 320
# A frame at -60 dB full scale counts half: hiss between words is no lack of periodicity.
_NOISE_POWER = 1e-6
# What P.862.2 maps its lowest raw score, -0.5, to.
_LEAST_PESQ = 1.04


@dataclass(frozen=True)
class VocoderDistance:
    """How a copy differs from its recording.

    `mel_l1`: of natural log mels. `pesq_wb`: mean opinion score, 1 to 4.64; None where no speech is found, or
    too little. `stoi`: 0 to 1. `periodicity_rmse`: of a share from 0 to 1. `f0_rmse_cents`: where both are voiced, None
    where nothing is. `voicing_error`: share of frames where only one is voiced. PESQ and STOI are None where they are
    not asked for.
    """

    mel_l1: float
    pesq_wb: float | None
    stoi: float | None
    periodicity_rmse: float
    f0_rmse_cents: float | None
    voicing_error: float


def vocoder_distance(
    recording: Signal, copy: Signal, preset: MelPreset, with_pesq: bool = True, with_stoi: bool = True
) -> VocoderDistance:
    """Distance of a copy (N,) from the recording (N,), both at the preset's rate.

    What one has beyond the other's end is left out. Raises DataError if nothing is left to compare, ResourceError if
    pesq or pystoi is asked for and not installed.
    """
    n_samples = min(len(recording), len(copy))
    if n_samples < preset.n_fft:
        raise DataError("too short to compare", why=f"{n_samples} samples, one window has {preset.n_fft}")
    pair = recording[:n_samples].astype(np.float32), copy[:n_samples].astype(np.float32)
    wide = [resample(each, preset.sample_rate, WIDE_BAND_HZ) for each in pair]
    true_f0, made_f0 = (
        extract_f0(each, preset.sample_rate, preset.hop_samples, n_samples // preset.hop_samples) for each in pair
    )
    cents, voicing = pitch_errors(true_f0, made_f0)
    return VocoderDistance(
        mel_l1(*(_mel(each, preset) for each in pair)),
        pesq_wb(*wide) if with_pesq else None,
        stoi(*wide) if with_stoi else None,
        float(np.sqrt(np.mean(np.square(periodicity(wide[0]) - periodicity(wide[1]))))),
        cents,
        voicing,
    )


def _mel(samples: Signal, preset: MelPreset) -> Signal:
    import torch

    from speechkd.audio.mel import mel_spectrogram

    mel: Signal = mel_spectrogram(torch.from_numpy(samples)[None], preset)[0].numpy()
    return mel


def pesq_wb(recording: Signal, copy: Signal) -> float | None:
    """Wide-band PESQ (ITU-T P.862.2) of a copy (N,) at 16 kHz; None where the recording holds no speech.

    None for less than a quarter of a second, too, and the lowest score, 1.04, for a copy without a sound: the library
    takes neither.
    """
    try:
        from pesq import BufferTooShortError, NoUtterancesError, pesq
    except ImportError as error:
        raise missing_extra("pesq", "metrics", "Measuring PESQ") from error
    try:
        # Silence on both sides says nothing about the copy.
        if np.any(recording) and not np.any(copy):
            return _LEAST_PESQ
        return float(pesq(WIDE_BAND_HZ, recording, copy, "wb"))
    except (BufferTooShortError, NoUtterancesError):
        return None


def stoi(recording: Signal, copy: Signal) -> float:
    """Short-time objective intelligibility (Taal et al., 2011) of a copy (N,) at 16 kHz."""
    try:
        from pystoi import stoi as measure
    except ImportError as error:
        raise missing_extra("pystoi", "metrics", "Measuring STOI") from error
    return float(measure(recording, copy, WIDE_BAND_HZ))


def pitch_errors(true_hz: Signal, made_hz: Signal) -> tuple[float | None, float]:
    """RMSE in cents where both of two contours (F,) are voiced, and the share of frames where only one is.

    0 Hz is unvoiced; None where both are voiced nowhere.
    """
    true, made = (np.asarray(each, dtype=np.float64) for each in (true_hz, made_hz))
    if true.shape != made.shape or not len(true):
        raise DataError("contours cannot be compared", why=f"their shapes are {true.shape} and {made.shape}")
    both = (true > 0) & (made > 0)
    voicing = float(np.mean((true > 0) != (made > 0)))
    if not both.any():
        return None, voicing
    cents = 1200.0 * np.log2(made[both] / true[both])
    return float(np.sqrt(np.mean(np.square(cents)))), voicing


def periodicity(samples: Signal) -> npt.NDArray[np.float64]:
    """How periodic samples (N,) at 16 kHz are, every 10 ms, from 0 to 1: (frames,).

    The greatest normalised cross-correlation of 40 ms with what follows 1.8 to 20 ms later (Talkin, 1995): 1 for any
    wave of 50 to 550 Hz, near 0 for noise and for silence.
    """
    length = _WINDOW + _MOST_LAG
    padded = np.pad(np.asarray(samples, dtype=np.float64), (0, max(0, length - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::_HOP]
    n_fft = 2048
    head = np.fft.rfft(frames[:, :_WINDOW], n_fft)
    products = np.fft.irfft(np.conj(head) * np.fft.rfft(frames, n_fft), n_fft)[:, _LEAST_LAG : _MOST_LAG + 1]
    sums = np.pad(np.cumsum(np.square(frames), axis=1), ((0, 0), (1, 0)))
    energy = sums[:, _WINDOW : length + 1] - sums[:, : _MOST_LAG + 1]  # of the window at every lag
    noise = _NOISE_POWER * _WINDOW
    norm = np.sqrt((energy[:, :1] + noise) * (energy[:, _LEAST_LAG:] + noise))
    return np.clip((products / norm).max(axis=1), 0.0, 1.0)
