"""A pitch as a choice among bins, as in CREPE (Kim et al., ICASSP 2018, section 2.1)."""

from __future__ import annotations

import torch
from torch import Tensor

# Standard deviation of the bell around the true pitch, in cents (CREPE has 25).
BELL_CENTS = 20.0


def pitch_cross_entropy(log_odds: Tensor, f0_hz: Tensor, log_pitches: Tensor) -> Tensor:
    """-Σ_b g_b ln p_b, mean over the voiced frames; 0 where none is voiced.

    log_odds: (B, F, N). f0_hz: (B, F), 0 where unvoiced. log_pitches: (N,), the natural logarithms of the bins' pitches
    in Hz. g is a bell around the true pitch, or around the nearest bin where that lies outside, of sum 1.
    """
    voiced = f0_hz > 0
    true = torch.where(voiced, f0_hz, 1.0).float().log().clamp(float(log_pitches[0]), float(log_pitches[-1]))
    cents = (log_pitches - true[..., None]) * (1200.0 / torch.log(torch.tensor(2.0)))
    bell = torch.softmax(-0.5 * (cents / BELL_CENTS).square(), dim=-1)
    entropy = -(bell * torch.log_softmax(log_odds.float(), dim=-1)).sum(dim=-1)
    return torch.where(voiced, entropy, 0.0).sum() / voiced.sum().clamp(min=1)
