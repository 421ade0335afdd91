"""Silence in a changed mel was a rounding error above the floor, so parts of it were made louder with the speech."""

from __future__ import annotations

import math

import numpy as np

from recipes.vocoder.istft.augment import augmented
from recipes.vocoder.istft.config import AugmentSection


def test_silence_stays_at_the_floor() -> None:
    floor = math.log(1e-5)
    mel = np.full((200, 80), floor, np.float32)
    mel[:50] = -3.0
    for variant in "0123":
        changed = augmented(mel, "clip", variant, AugmentSection(share=1), floor)
        assert (changed[:40] > floor + 1).all()
        assert np.abs(changed[80:] - floor).max() < 1e-5
