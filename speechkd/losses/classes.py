"""What losses of classifiers share: labels, the mask that leaves out the target, and label smoothing.

Logits are (B, K) for K classes, in any floating format; all is computed in single precision at least. Labels are
classes (B,) int64, or shares (B, K) of mixed pictures (mixup, cutmix). Nothing here divides by 1 - S_t, which is 0 in
floating point for a confident network: softmaxes are taken over the classes that are left.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def wide(logits: Tensor) -> Tensor:
    """Half precision as single: a sum of a thousand classes is not one of eight or eleven bits."""
    return logits if logits.dtype == torch.float64 else logits.float()


def hard_target(labels: Tensor) -> Tensor:
    """The class t (B,) of labels (B,), or the one with the largest share of labels (B, K)."""
    return labels if labels.ndim == 1 else labels.argmax(dim=1)


def shares(labels: Tensor, n_classes: int) -> Tensor:
    """Labels (B,) or (B, K) as shares (B, K), in single precision at least."""
    return wide(labels) if labels.ndim == 2 else F.one_hot(labels, n_classes).float()


def others(target: Tensor, n_classes: int) -> Tensor:
    """(B, K), true at all classes but the target (B,): K - 1 in each row. RuntimeError for a label of no class."""
    return ~F.one_hot(target, n_classes).bool()


def logsumexp_over(logits: Tensor, keep: Tensor) -> Tensor:
    """log Σ_{j kept} e^z_j, (B, K) and (B, K) -> (B, 1).

    The least number stands in for -∞, so that a row of which nothing is kept has no NaN.
    """
    logits = wide(logits)
    return logits.masked_fill(~keep, torch.finfo(logits.dtype).min).logsumexp(dim=1, keepdim=True)


def log_softmax_over(logits: Tensor, keep: Tensor) -> Tensor:
    """log(S_i / Σ_{j kept} S_j) at the kept classes, else 0; both (B, K). No gradient reaches what is not kept.

    The same as a softmax of the kept logits alone.
    """
    return (wide(logits) - logsumexp_over(logits, keep)).masked_fill(~keep, 0.0)


def softmax_over(logits: Tensor, keep: Tensor) -> Tensor:
    """S_i / Σ_{j kept} S_j at the kept classes, else 0; both (B, K)."""
    return log_softmax_over(logits, keep).exp() * keep


def log_target(logits: Tensor, target: Tensor) -> Tensor:
    """log S_t (B,) of logits (B, K) for the target (B,)."""
    return wide(logits).log_softmax(dim=1).gather(1, target[:, None]).squeeze(1)


def soft_cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """-mean_b Σ_i y_i log S_i: logits and y (B, K) -> scalar. y may be any weights; it carries no gradient."""
    return -(wanted.detach() * wide(logits).log_softmax(dim=1)).sum(dim=1).mean()


def smoothed(labels: Tensor, n_classes: int, smoothing: float) -> Tensor:
    """(1 - ε) y + ε / K of labels (B,) or (B, K) -> (B, K) (Szegedy et al., CVPR 2016, section 7)."""
    return (1.0 - smoothing) * shares(labels, n_classes) + smoothing / n_classes


def label_smoothing(logits: Tensor, labels: Tensor, smoothing: float = 0.1) -> Tensor:
    """-mean_b Σ_i ((1 - ε) y_i + ε / K) log S_i: logits (B, K), labels (B,) or (B, K) -> scalar.

    With ε = 0 the cross-entropy. USKD teaches its weak head with it, at ε = 0.1.
    """
    return soft_cross_entropy(logits, smoothed(labels, logits.shape[1], smoothing))
