"""What the aligner hears: a log mel spectrogram with its own normalisation, and which frames are probably silent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechkd.audio.presets import MelPreset
from speechkd.errors import DataError

#: 25 ms windows every 10 ms; frame f is centred on (f + 0.5) · 10 ms, so a boundary before it lies at f · 10 ms.
PRESET = MelPreset("aligner_16k", 16000, 512, 160, 400, 40, 50.0, 8000.0)

#: Bands of the mel spectrogram and the level.
N_FEATURES = PRESET.n_mels + 1

# The level between the quietest and the loudest frames below which a frame is as likely silent as not, and how
# fast that changes around it, both as shares of the range.
_SILENT_BELOW = 0.35
_SILENCE_WIDTH = 0.06


@dataclass(frozen=True)
class Heard:
    """An utterance of F frames: `frames` (F, N_FEATURES) and `silence` (F,), the probability that nobody speaks."""

    frames: NDArray[np.float32]
    silence: NDArray[np.float32]


def hear(samples: NDArray[np.float32], sample_rate: int, where: str | None = None) -> Heard:
    """The features of a recording (T,), which do not depend on its gain.

    Raises `DataError` for a recording that is silent, holds NaN or Inf, or is too short for one window.
    """
    import torch

    from speechkd.audio.io import resample
    from speechkd.audio.mel import mel_spectrogram

    peak = float(np.max(np.abs(samples), initial=0.0))
    if not np.isfinite(peak) or peak == 0.0:
        why = "the recording is silent" if peak == 0.0 else "it has NaN or Inf"
        raise DataError("Cannot align", where=where, why=why)
    signal = np.asarray(samples, np.float32) / np.float32(peak)
    if sample_rate != PRESET.sample_rate:
        signal = resample(signal, sample_rate, PRESET.sample_rate)
    if len(signal) < PRESET.n_fft:
        raise DataError("Cannot align", where=where, why=f"{len(samples) / sample_rate:.3f} s are too short")
    mel = mel_spectrogram(torch.from_numpy(signal)[None], PRESET)[0].numpy()
    level = np.log(np.exp(mel).sum(axis=1))
    bands = (mel - mel.mean(axis=0)) / (mel.std(axis=0) + 0.1)
    loudness = (level - np.quantile(level, 0.95)) / 2
    return Heard(np.concatenate([bands, loudness[:, None]], axis=1).astype(np.float32), silence_probability(level))


def silence_probability(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability (F,) of silence by the level (F,), a log magnitude: a soft threshold within the utterance's range."""
    quiet, loud = np.quantile(level, 0.03), np.quantile(level, 0.9)
    span = max(float(loud - quiet), 1e-3)
    over = (level - (quiet + _SILENT_BELOW * span)) / (_SILENCE_WIDTH * span)
    return (1 / (1 + np.exp(np.clip(over, -20, 20)))).astype(np.float32)
