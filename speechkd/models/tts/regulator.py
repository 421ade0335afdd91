"""From one state per token to one state per frame, and back (FastSpeech, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor


def round_half_up(values: Tensor) -> Tensor:
    """Nearest whole number with 0.5 -> 1 and 1.5 -> 2, as int64; torch.round would take 0.5 to 0."""
    return torch.floor(values + 0.5).long()


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
