"""Made-up F0 contours that behave like those a pitch tracker finds in read speech."""

from __future__ import annotations

import numpy as np


def spoken_f0(seed: int, n_frames: int = 300, mean_hz: float = 190.0, voiced: float = 0.65) -> np.ndarray:
    """Phrases that fall, with accents and flutter, cut by unvoiced stretches: (frames,) in Hz, 0 where unvoiced."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_frames)
    fall = -0.35 * (t % 150) / 150
    accents = sum(
        rng.uniform(0.05, 0.35) * np.exp(-(((t - place) / rng.uniform(6, 20)) ** 2))
        for place in rng.uniform(0, n_frames, max(1, n_frames // 40))
    )
    f0 = mean_hz * np.exp(0.1 + fall + accents + rng.normal(0, 0.01, n_frames))
    at = 0
    while at < n_frames:
        length = int(rng.integers(8, 30))
        f0[at + max(2, int(voiced * length)) : at + length] = 0
        at += length
    return f0.astype(np.float32)


def with_octave_errors(f0_hz: np.ndarray, n_errors: int, seed: int = 0) -> np.ndarray:
    """The same contour with some voiced frames an octave up or down."""
    rng = np.random.default_rng(seed)
    wrong = f0_hz.copy()
    for place in rng.choice(np.flatnonzero(f0_hz > 0), n_errors, replace=False):
        wrong[place] *= rng.choice([0.5, 2.0])
    return wrong
