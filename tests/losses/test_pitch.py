"""The pitch's cross-entropy against numpy, one frame at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from speechkd.losses.pitch import pitch_cross_entropy

LOG_PITCHES = torch.linspace(np.log(60.0), np.log(600.0), 50)


def by_hand(log_odds: np.ndarray, f0_hz: np.ndarray) -> float:
    values = []
    for row, pitch in zip(log_odds.reshape(-1, 50), f0_hz.reshape(-1), strict=True):
        if pitch > 0:
            cents = 1200 * (LOG_PITCHES.numpy() - np.log(pitch)) / np.log(2)
            bell = np.exp(-(cents**2) / 2 / 20**2)
            log_p = row - np.log(np.exp(row).sum())
            values.append(-(bell / bell.sum() * log_p).sum())
    return float(np.mean(values))


def test_is_the_equation():
    log_odds = torch.randn(2, 4, 50)
    f0_hz = torch.tensor([[100.0, 0.0, 250.0, 61.0], [0.0, 0.0, 599.0, 180.0]])
    found = float(pitch_cross_entropy(log_odds, f0_hz, LOG_PITCHES))
    assert found == pytest.approx(by_hand(log_odds.numpy(), f0_hz.numpy()), rel=1e-4)


def test_is_least_where_the_pitch_is():
    places = torch.arange(50.0)
    entropies = [
        float(pitch_cross_entropy(-((places - at) ** 2)[None, None], LOG_PITCHES[20].exp()[None, None], LOG_PITCHES))
        for at in range(10, 30)
    ]
    assert np.argmin(entropies) == 10


@pytest.mark.parametrize("f0", [20.0, 5000.0])
def test_what_lies_outside_is_at_the_end(f0):
    log_odds = torch.randn(1, 1, 50)
    end = LOG_PITCHES[0 if f0 < 60 else -1].exp()
    found = pitch_cross_entropy(log_odds, torch.tensor([[f0]]), LOG_PITCHES)
    torch.testing.assert_close(found, pitch_cross_entropy(log_odds, end[None, None], LOG_PITCHES))


def test_nothing_voiced_teaches_nothing():
    log_odds = torch.randn(1, 3, 50, requires_grad=True)
    loss = pitch_cross_entropy(log_odds, torch.zeros(1, 3), LOG_PITCHES)
    loss.backward()
    assert float(loss.detach()) == 0.0 and not log_odds.grad.any()
