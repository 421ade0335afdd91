"""Variation within labels against the plain sums over each label."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.metrics.within import WithinLabels


def test_within_and_total_by_brute_force() -> None:
    draw = np.random.default_rng(5)
    parts = [(draw.normal(-8, 1, (n, 4)), draw.integers(0, 6, n)) for n in (30, 1, 57)]
    collector = WithinLabels(6, 4)
    for frames, labels in parts:
        collector.add(frames, labels)
    frames, labels = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    left = frames.copy()
    for label in range(6):
        left[labels == label] -= frames[labels == label].mean(axis=0)
    assert collector.n_frames == 88
    assert collector.within() == pytest.approx(np.sqrt((left**2).mean(axis=0)))
    assert collector.total() == pytest.approx(frames.std(axis=0))


def test_frames_that_only_their_label_decides_do_not_vary() -> None:
    """Far from zero, where squares lose digits."""
    labels = np.arange(1000) % 3
    frames = np.asarray([[1e4], [1e4 + 1], [1e4 + 5]])[labels]
    collector = WithinLabels(3, 1)
    collector.add(frames, labels)
    assert collector.within() == pytest.approx(0.0, abs=1e-6)
    assert collector.total() == pytest.approx(frames.std(axis=0))


def test_nothing_and_mismatch() -> None:
    with pytest.raises(DataError, match="no frames"):
        WithinLabels(3, 2).within()
    with pytest.raises(DataError, match="labels"):
        WithinLabels(3, 2).add(np.zeros((4, 2)), np.zeros(3, int))
