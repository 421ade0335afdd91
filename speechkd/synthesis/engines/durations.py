"""From predicted durations to frames in numpy: what `speechkd.models.tts.regulator` computes, without torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

#: As in `speechkd.models.tts.regulator`: what misses a half by rounding errors alone is that half.
_ROUNDING_ERROR = 1e-5

Frames = npt.NDArray[np.int64]


def frames_of(
    log_durations: npt.NDArray[np.float32], numbers: Sequence[int], silent_ids: Collection[int] | None
) -> Frames:
    """Frames per token (T,) of predicted log(d + 1) (T,): ⌊d + ½⌋.

    `numbers` (T,) are the tokens. Those in `silent_ids` may last no frame, all others at least one; None: any token may
    last none, and if all do the longest by d lasts one.
    """
    durations = np.maximum(np.expm1(log_durations), np.float32(0.0))
    frames = np.floor(durations.astype(np.float64) + (_ROUNDING_ERROR + 0.5)).astype(np.int64)
    if silent_ids is None:
        if not frames.any():
            frames[durations.argmax()] = 1
        return frames
    return np.maximum(frames, [number not in silent_ids for number in numbers])


def at_pace(frames: Frames, log_durations: npt.NDArray[np.float32], speeds: npt.NDArray[np.float64]) -> Frames:
    """Frames per token (T,) at `speeds` (T,), of the frames at speed 1 and of the predicted log(d + 1) behind them.

    FastSpeech's length regulator (section 3.2) rounds each d / speed by itself; the errors of a sentence then add up to
    a speed that nobody asked for. Here the ends of tokens are rounded, so each is at most half a frame off. A token
    that lasts a frame at speed 1 lasts one at any speed, at the cost of those behind it.
    """
    durations = np.maximum(np.expm1(log_durations.astype(np.float64)), 0.0)
    wanted = np.floor(np.cumsum(durations / speeds) + (_ROUNDING_ERROR + 0.5)).astype(np.int64)
    ends, end = [], 0
    for least, ideal in zip(np.minimum(frames, 1).tolist(), wanted.tolist(), strict=True):
        end = max(end + least, ideal)
        ends.append(end)
    return np.diff(ends, prepend=0)
