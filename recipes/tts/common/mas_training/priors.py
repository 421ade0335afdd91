"""What is known before anything is learned: speech runs at an even pace, and silence is quiet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechkd.align.mas.graph import Graph

# No frame is surely silent or surely not: breaths are loud, closures of stops are quiet.
_DOUBT = 0.02


def beta_binomial(places: NDArray[np.int64], length: int, n_frames: int) -> NDArray[np.float32]:
    """log P(k | n = length - 1, α = f, β = F - f + 1) of places k (S,) in frames f = 1 … F: (F, S).

    The static prior of Badlani et al. 2021 with ω = 1: near the diagonal, widest in the middle.
    """
    # log m! for every m that can occur; all arguments are whole numbers.
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, length + n_frames + 1)))])
    n, k, f = length - 1, places[None, :], np.arange(1, n_frames + 1)[:, None]
    choose = factorial[n] - factorial[k] - factorial[n - k]
    above = factorial[k + f - 1] + factorial[n - k + n_frames - f] - factorial[n + n_frames]
    below = factorial[f - 1] + factorial[n_frames - f] - factorial[n_frames]
    return np.asarray(choose + above - below, np.float32)


def quiet_is_silent(silence: NDArray[np.float32], graph: Graph) -> NDArray[np.float32]:
    """log P of a frame's level (F,) in each state (F, S): silences are likely where it is quiet, phones elsewhere."""
    likely = _DOUBT + (1 - 2 * _DOUBT) * silence[:, None]
    return np.asarray(np.where(graph.is_silence[None, :], np.log(likely), np.log(1 - likely)), np.float32)
