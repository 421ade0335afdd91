"""From one state per token to one state per frame, and back (FastSpeech, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

#: Frames by which a duration of up to 50 frames may be off that went through a logarithm in single precision.
_ROUNDING_ERROR = 1e-5


def round_half_up(values: Tensor) -> Tensor:
    """Nearest whole number with 0.5 -> 1 and 1.5 -> 2, as int64; torch.round would take 0.5 to 0."""
    return torch.floor(values + 0.5).long()


def regulate(durations: Tensor, alpha: float = 1.0) -> Tensor:
    """Frames per token: ⌊α·d + ½⌋, for real-valued durations d (B, T) of at least 0 -> (B, T) int64.

    FastSpeech, section 3.2: α above 1 speaks slower. What is rounded is the scaled duration, never the duration.
    """
    # 0.7 · 45 is 31.499999999999996 in a computer: what misses a half by rounding errors alone is that half.
    return round_half_up(durations.double() * alpha + _ROUNDING_ERROR)


def at_least_one_frame(frames: Tensor, durations: Tensor, mask: Tensor) -> Tensor:
    """The frames (B, T) with one more for each row that has none: its longest token by `durations` lasts one frame.

    mask: (B, T), True at tokens that are no padding. An untrained predictor may give every token less than half a
    frame; a mel without frames is no input for anything that follows.
    """
    longest = durations.masked_fill(~mask, -1.0).argmax(dim=1, keepdim=True)
    silent = (frames.sum(dim=1, keepdim=True) == 0) & mask.any(dim=1, keepdim=True)
    return frames.scatter_add(1, longest, silent.to(frames.dtype))


def token_of_frame(durations: Tensor, n_frames: int) -> Tensor:
    """Which token each frame belongs to: durations (B, T) -> (B, n_frames).

    Frames past the end of a row point at its last token; the caller masks them.
    """
    ends = durations.cumsum(dim=1)
    frames = torch.arange(n_frames, device=durations.device).expand(len(durations), -1).contiguous()
    index = torch.searchsorted(ends, frames, right=True)
    return index.clamp(max=durations.shape[1] - 1)


def expand(states: Tensor, durations: Tensor, n_frames: int | None = None) -> Tensor:
    """Repeat each token's state for its frames: states (B, T, C), durations (B, T) -> (B, F, C).

    F is the longest row's sum unless given.
    """
    n_frames = int(durations.sum(dim=1).max()) if n_frames is None else n_frames
    index = token_of_frame(durations, n_frames)
    return states.gather(1, index.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
