"""From one utterance's attention to durations, and to what says whether they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speechkd.align.attention import durations_from_attention, focus_rate


@dataclass(frozen=True)
class Reading:
    """One head's attention (F, T) as durations.

    durations: (T,) int32, with sum F. backward_share: of all steps from a frame to the next, those at which the token
    looked at most lies before the last one; argmax counts mean little where that is large.
    """

    durations: NDArray[np.int32]
    focus_rate: float
    backward_share: float


def read(attention: NDArray[np.float32], path: Literal["argmax", "monotone"]) -> Reading:
    """The durations of an attention (F, T) and its figures. DataError for a value that is not finite."""
    durations = durations_from_attention(attention, path).astype(np.int32)
    return Reading(durations, float(focus_rate(attention)), backward_share(attention))


def backward_share(attention: NDArray[np.float32]) -> float:
    """Share of frames, from the second on, whose most attended token lies before that of the frame before."""
    places = attention.argmax(axis=1)
    return float(np.mean(np.diff(places) < 0)) if len(places) > 1 else 0.0
