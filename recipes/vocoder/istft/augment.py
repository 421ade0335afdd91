"""Mels that nobody recorded: near enough to speech for a teacher to answer them, far enough to teach something new."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.vocoder.istft.config import AugmentSection
from speechkd.training.seeds import derive_seed

Mel = NDArray[np.float32]
_NATURAL_PER_DB = math.log(10.0) / 20.0
# A straight line between two silent frames is off by a rounding error.
_ROUNDING = 1e-4


def augmented(mel: Mel, clip: str, variant: str, how: AugmentSection, log_floor: float) -> Mel:
    """A changed copy of a log-mel (F, n_mels): a pure function of its arguments; its length is another.

    Stretched in time, moved along the bands, then louder or softer and tilted. Nothing falls under `log_floor`, the
    lowest value that a mel has (natural logarithm).
    """
    draw = random.Random(derive_seed(how.seed, purpose=f"augment {clip} {variant}"))
    rate, shift, gain_db, tilt_db = (
        draw.uniform(-most, most) for most in (how.stretch, how.shift_bands, how.gain_db, how.tilt_db)
    )
    n_frames, n_mels = mel.shape
    changed = _read_at(mel, np.linspace(0.0, n_frames - 1.0, max(1, round(n_frames * (1.0 + rate)))))
    changed = _read_at(changed.T, np.clip(np.arange(n_mels) - shift, 0.0, n_mels - 1.0)).T
    level_db = gain_db + tilt_db * np.linspace(-0.5, 0.5, n_mels)
    louder = changed + (level_db * _NATURAL_PER_DB).astype(np.float32)
    # What is silent stays silent, however loud the rest becomes.
    kept = np.where(changed <= log_floor + _ROUNDING, log_floor, louder)
    result: Mel = np.maximum(kept, log_floor).astype(np.float32)
    return np.ascontiguousarray(result)


def _read_at(rows: Mel, places: NDArray[Any]) -> Mel:
    """Rows of (N, K) at places between them, by straight lines: (len(places), K)."""
    low = np.minimum(places.astype(np.int64), len(rows) - 1)
    high = np.minimum(low + 1, len(rows) - 1)
    share = (places - low).astype(np.float32)[:, None]
    read: Mel = (1.0 - share) * rows[low] + share * rows[high]
    return read
