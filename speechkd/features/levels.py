"""From frame level to token level."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError

Array = npt.NDArray[Any]


def token_means(values: Array, durations: Array) -> npt.NDArray[np.float64]:
    """Mean of frame values (F,) over each token's frames (T,); a token without frames takes its neighbours' value.

    The running sum is read, never written, so leading tokens of no frames disturb nothing. Raises DataError unless the
    durations (T,) add up to F > 0 frames.
    """
    if int(durations.sum()) != len(values) or not len(values):
        raise DataError(
            f"durations sum to {int(durations.sum())} frames, the feature has {len(values)}",
            why="each frame belongs to one token",
        )
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    ends = np.cumsum(durations)
    starts = ends - durations
    means = (sums[ends] - sums[starts]) / np.maximum(durations, 1)
    filled = np.flatnonzero(durations > 0)
    return np.interp(np.arange(len(durations)), filled, means[filled])
