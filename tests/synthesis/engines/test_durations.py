"""Durations in numpy are those of torch's regulator, to the frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from speechkd.models.tts.regulator import at_least_one_frame, regulate
from speechkd.synthesis.engines.durations import frames_of

HALVES = np.log1p(np.arange(0, 40, 0.5)).astype(np.float32)
RANDOM = np.random.default_rng(0).normal(1.0, 1.2, 400).astype(np.float32)


@pytest.mark.parametrize("speed", [0.25, 0.7, 1.0, 1.3, 4.0])
@pytest.mark.parametrize("logs", [HALVES, RANDOM])
def test_they_round_as_torch_does(logs: np.ndarray, speed: float) -> None:
    numbers = list(np.random.default_rng(1).integers(0, 9, len(logs)))
    real = torch.expm1(torch.from_numpy(logs)).clamp(min=0.0)[None]
    frames = regulate(real, 1.0 / speed)[0].numpy()
    expected = np.maximum(frames, [number not in (3, 4) for number in numbers])
    np.testing.assert_array_equal(frames_of(logs, speed, numbers, (3, 4)), expected)
    np.testing.assert_array_equal(frames_of(logs, speed, numbers, None), frames)


def test_halves_go_up() -> None:
    assert frames_of(np.log1p(np.float32([0.5, 1.5, 2.5])), 1.0, [5, 5, 5], ()).tolist() == [1, 2, 3]
    assert frames_of(np.float32([-3.0, -3.0]), 1.0, [5, 1], (1,)).tolist() == [1, 0]


def test_an_utterance_without_frames_gets_one_at_its_longest_token() -> None:
    logs = np.log1p(np.float32([0.1, 0.3, 0.2]))
    real = torch.expm1(torch.from_numpy(logs))[None]
    mask = torch.ones(1, 3, dtype=torch.bool)
    expected = at_least_one_frame(regulate(real), real, mask)[0].tolist()
    assert frames_of(logs, 1.0, [1, 1, 1], None).tolist() == expected == [0, 1, 0]
