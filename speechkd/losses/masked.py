"""Means over the valid positions of a padded batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def _mean(term: Callable[[Tensor, Tensor], Tensor], predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    while mask.dim() < predicted.dim():
        mask = mask.unsqueeze(-1)
    invalid = ~mask.expand_as(predicted)
    # Filled before the term as well: what stands in the padding may be infinite, and 0 · ∞ would reach the gradient.
    error = term(predicted.masked_fill(invalid, 0.0), target.masked_fill(invalid, 0.0))
    return error.masked_fill(invalid, 0.0).sum() / (~invalid).sum().clamp(min=1)


def masked_l1(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Σ|p - t| / n over valid positions. predicted, target: (B, T) or (B, T, C); mask: (B, T)."""
    return _mean(lambda p, t: (p - t).abs(), predicted, target, mask)


def masked_mse(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Σ(p - t)² / n over valid positions. predicted, target: (B, T) or (B, T, C); mask: (B, T)."""
    return _mean(lambda p, t: (p - t).square(), predicted, target, mask)


def masked_distance(kind: str, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """`l1`, `mse`, or their sum (`both`); arguments as in `masked_l1`."""
    terms = {"l1": (masked_l1,), "mse": (masked_mse,), "both": (masked_l1, masked_mse)}[kind]
    return torch.stack([term(predicted, target, mask) for term in terms]).sum()


def masked_bce(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy of logits (B, T) against target (B, T) in {0, 1}, over valid positions."""

    def term(p: Tensor, t: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(p, t, reduction="none")

    return _mean(term, logits, target.to(logits.dtype), mask)
