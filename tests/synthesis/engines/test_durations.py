"""Durations in numpy are those of torch's regulator, to the frame; at other speeds their sum is what was asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from speechkd.models.tts.regulator import at_least_one_frame, regulate
from speechkd.synthesis.engines.durations import at_pace, frames_of

HALVES = np.log1p(np.arange(0, 40, 0.5)).astype(np.float32)
RANDOM = np.random.default_rng(0).normal(1.0, 1.2, 400).astype(np.float32)


@pytest.mark.parametrize("logs", [HALVES, RANDOM])
def test_they_round_as_torch_does(logs: np.ndarray) -> None:
    numbers = list(np.random.default_rng(1).integers(0, 9, len(logs)))
    real = torch.expm1(torch.from_numpy(logs)).clamp(min=0.0)[None]
    frames = regulate(real)[0].numpy()
    expected = np.maximum(frames, [number not in (3, 4) for number in numbers])
    np.testing.assert_array_equal(frames_of(logs, numbers, (3, 4)), expected)
    np.testing.assert_array_equal(frames_of(logs, numbers, None), frames)


def test_halves_go_up() -> None:
    assert frames_of(np.log1p(np.float32([0.5, 1.5, 2.5])), [5, 5, 5], ()).tolist() == [1, 2, 3]
    assert frames_of(np.float32([-3.0, -3.0]), [5, 1], (1,)).tolist() == [1, 0]


def test_an_utterance_without_frames_gets_one_at_its_longest_token() -> None:
    logs = np.log1p(np.float32([0.1, 0.3, 0.2]))
    real = torch.expm1(torch.from_numpy(logs))[None]
    mask = torch.ones(1, 3, dtype=torch.bool)
    expected = at_least_one_frame(regulate(real), real, mask)[0].tolist()
    assert frames_of(logs, [1, 1, 1], None).tolist() == expected == [0, 1, 0]


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.75, 1.25, 2.0, 4.0])
def test_at_another_speed_the_whole_lasts_as_long_as_asked(speed: float) -> None:
    durations = np.random.default_rng(2).uniform(4.0, 12.0, 300)
    logs = np.log1p(durations).astype(np.float32)
    frames = frames_of(logs, [5] * len(logs), ())
    paced = at_pace(frames, logs, np.full(len(logs), speed))
    assert paced.min() >= 1
    assert abs(paced.sum() - durations.sum() / speed) <= 0.5 + 1e-2
    ends, ideal = np.cumsum(paced), np.cumsum(durations / speed)
    assert np.abs(ends - ideal).max() <= 0.5 + 1e-2


def test_tokens_have_speeds_of_their_own_and_silent_ones_stay_silent() -> None:
    logs = np.log1p(np.float32([8.0, 0.0, 8.0, 8.0]))
    frames = frames_of(logs, [5, 1, 5, 5], (1,))
    assert at_pace(frames, logs, np.array([1.0, 1.0, 2.0, 0.5])).tolist() == [8, 0, 4, 16]


def test_a_token_that_is_heard_at_speed_one_is_heard_at_any() -> None:
    logs = np.log1p(np.full(50, 1.0, np.float32))
    paced = at_pace(frames_of(logs, [5] * 50, ()), logs, np.full(50, 4.0))
    assert paced.tolist() == [1] * 50
