"""PESQ of a copy without a sound, or of a clip of less than a quarter of a second, ended the scoring of all clips."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.metrics.vocoder import pesq_wb

pytest.importorskip("pesq")


def test_they_have_the_lowest_score_and_none() -> None:
    recording = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    assert pesq_wb(recording, np.zeros_like(recording)) == 1.04
    assert pesq_wb(recording[:3000], recording[:3000]) is None
