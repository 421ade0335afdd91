"""Means over the valid positions of a padded batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

_TINY = 1e-8


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


def masked_frame_distance(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Σ √(mean over channels of (p - t)²) / n over valid positions. predicted, target: (B, T, C); mask: (B, T).

    Where an answer is not certain it asks for the point whose distance from what may come is least on average (the
    geometric median), as measures of whole frames do; squares ask for the mean, and heed rare answers more.
    """

    def term(p: Tensor, t: Tensor) -> Tensor:
        # Smooth where the frames meet: the root of 0 has no gradient.
        return ((p - t).square().mean(dim=-1, keepdim=True) + _TINY).sqrt().expand_as(p)

    return _mean(term, predicted, target, mask)


def masked_distance(kind: str, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """`l1`, `mse`, their sum (`both`), or `frame` (`masked_frame_distance`); arguments as in `masked_l1`."""
    terms = {
        "l1": (masked_l1,),
        "mse": (masked_mse,),
        "both": (masked_l1, masked_mse),
        "frame": (masked_frame_distance,),
    }[kind]
    return torch.stack([term(predicted, target, mask) for term in terms]).sum()


def masked_bce(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy of logits (B, T) against target (B, T) in {0, 1}, over valid positions."""

    def term(p: Tensor, t: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(p, t, reduction="none")

    return _mean(term, logits, target.to(logits.dtype), mask)
