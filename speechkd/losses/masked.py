"""Means over the valid positions of a padded batch."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def _mean(error: Tensor, mask: Tensor) -> Tensor:
    while mask.dim() < error.dim():
        mask = mask.unsqueeze(-1)
    mask = mask.expand_as(error)
    # Filled, not multiplied: what stands in the padding may be infinite.
    return error.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def masked_l1(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Σ|p - t| / n over valid positions. predicted, target: (B, T) or (B, T, C); mask: (B, T)."""
    return _mean((predicted - target).abs(), mask)


def masked_mse(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Σ(p - t)² / n over valid positions. predicted, target: (B, T) or (B, T, C); mask: (B, T)."""
    return _mean((predicted - target).square(), mask)


def masked_bce(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy of logits (B, T) against target (B, T) in {0, 1}, over valid positions."""
    return _mean(F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none"), mask)
