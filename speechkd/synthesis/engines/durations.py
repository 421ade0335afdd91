"""From predicted durations to frames in numpy: what `speechkd.models.tts.regulator` computes, without torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

#: As in `speechkd.models.tts.regulator`: what misses a half by rounding errors alone is that half.
_ROUNDING_ERROR = 1e-5


def frames_of(
    log_durations: npt.NDArray[np.float32], speed: float, numbers: Sequence[int], silent_ids: Collection[int] | None
) -> npt.NDArray[np.int64]:
    """Frames per token (T,) of predicted log(d + 1) (T,): ⌊d / speed + ½⌋.

    `numbers` (T,) are the tokens. Those in `silent_ids` may last no frame, all others at least one; None: any token may
    last none, and if all do the longest by d lasts one.
    """
    durations = np.maximum(np.expm1(log_durations), np.float32(0.0))
    scaled = durations.astype(np.float64) * (1.0 / speed) + _ROUNDING_ERROR
    frames = np.floor(scaled + 0.5).astype(np.int64)
    if silent_ids is None:
        if not frames.any():
            frames[durations.argmax()] = 1
        return frames
    return np.maximum(frames, [number not in silent_ids for number in numbers])
