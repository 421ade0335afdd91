"""Attention that is asked to go along the diagonal (Tachibana et al., ICASSP 2018, arXiv 1710.08969, section 4), or
where an aligner went.
"""

from __future__ import annotations

import torch
from torch import Tensor


def guided_attention(attention: Tensor, token_lengths: Tensor, mel_lengths: Tensor, sigma: float) -> Tensor:
    """(1/ΣF) Σ_f Σ_t A[f, t] · W[f, t], W[f, t] = 1 - exp(-(t/T - f/F)² / 2σ²): 0 on the diagonal, below 1 elsewhere.

    attention: (B, N, F, T) of N heads; token_lengths, mel_lengths: (B,). A mean over frames and heads of the penalty
    of each frame's row: the paper's mean over all cells is this divided by T. Padding does not count.
    """
    # Shares of the text and of the speech: 1 and more is padding.
    t = (torch.arange(attention.shape[3], device=attention.device) / token_lengths[:, None])[:, None, :]
    f = (torch.arange(attention.shape[2], device=attention.device) / mel_lengths[:, None])[:, :, None]
    penalty = 1.0 - torch.exp(-(t - f).square() / (2.0 * sigma**2))
    valid = (t < 1.0) & (f < 1.0)
    weighted = attention.float() * penalty.masked_fill(~valid, 0.0)[:, None]
    return weighted.sum() / (mel_lengths.sum() * attention.shape[1])


def aligned_attention(attention: Tensor, durations: Tensor, mel_lengths: Tensor) -> Tensor:
    """-(1/ΣF) Σ_f log A[f, t(f)], t(f) being the token whose frame f is: cross-entropy with a known alignment.

    attention: (B, N, F, T) of N heads; durations: (B, T) frames per token, with sums mel_lengths (B,).
    """
    n_frames = attention.shape[2]
    frame = torch.arange(n_frames, device=attention.device).expand(len(durations), -1).contiguous()
    token = torch.searchsorted(durations.cumsum(dim=1), frame, right=True).clamp(max=attention.shape[3] - 1)
    index = token[:, None, :, None].expand(-1, attention.shape[1], -1, 1)
    share = attention.float().gather(3, index).squeeze(3).clamp(min=1e-6)
    valid = (frame < mel_lengths[:, None])[:, None]
    return -share.log().masked_fill(~valid, 0.0).sum() / (mel_lengths.sum() * attention.shape[1])
