"""The path search kept where it came from in one byte: with more than 255 predecessors it came back by a wrong way."""

from __future__ import annotations

import numpy as np

from speechkd.align.mas.search import monotonic_durations


def test_a_long_row_of_tokens_may_be_skipped() -> None:
    n_tokens = 400
    log_probs = np.full((n_tokens, 3), -100.0, np.float32)
    log_probs[0, :2] = 0.0
    log_probs[-1, 2] = 0.0
    durations = monotonic_durations(log_probs, [False, *[True] * (n_tokens - 2), False])
    assert {place: int(frames) for place, frames in enumerate(durations) if frames} == {0: 2, n_tokens - 1: 1}
