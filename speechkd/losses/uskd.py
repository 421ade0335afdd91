"""What a classifier learns from itself: soft target, and Zipf's labels for the rest (USKD: Yang et al., ICCV 2023,
arXiv 2303.13005).

Final logits z and weak logits w are (B, K); labels are classes (B,), or shares (B, K) of mixed pictures, not smoothed,
of which the two largest are targets. S = softmax(z), W = softmax(w); a tilde is among the non-target classes. Soft
labels carry no gradient.

The formulas were put together from the released code and from reports of the paper. Where the code breaks its own
equation, in the ranking, the equation is followed; `RankingConfig` has both.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from speechkd.losses.classes import label_smoothing, log_softmax_over, logsumexp_over, wide
from speechkd.losses.classifiers_config import RankingConfig, UskdConfig

# Of the released code's denominators.
_TINY = 1e-6


class Targets(NamedTuple):
    """The targets of each row: classes (B, n) and their shares V (B, n), 0 where a row has fewer than n.

    A class without a share is there to fill the row, and any: what is said of a target is not said of it.
    """

    classes: Tensor
    values: Tensor

    @property
    def real(self) -> Tensor:
        """(B, n), 1 at targets with a share, else 0."""
        return (self.values > 0).to(self.values.dtype)

    def pick(self, values: Tensor) -> Tensor:
        """Of values (B, K) those of the targets (B, n), 0 where there is none."""
        return values.gather(1, self.classes) * self.real

    @classmethod
    def of(cls, labels: Tensor) -> Targets:
        """One per row of classes (B,); of shares (B, K) the two largest, the first one of equals."""
        if labels.ndim == 1:
            return cls(labels[:, None], torch.ones(len(labels), 1, device=labels.device))
        values, classes = wide(labels).sort(dim=1, descending=True, stable=True)
        return cls(classes[:, :2], values[:, :2])

    def others(self, n_classes: int) -> Tensor:
        """(B, K), true at all classes but the targets."""
        taken = torch.zeros(len(self.classes), n_classes, dtype=self.values.dtype, device=self.classes.device)
        return taken.scatter(1, self.classes, self.real) == 0


@torch.no_grad()
def soft_targets(logits: Tensor, targets: Targets) -> Tensor:
    """P_t = S_t² + V_t - mean_b S_t², a column per target (B, n), and 0 where V_t = 0.

    The batch's mean is that of V_t: what the student knows well weighs more, what it does not weighs less. A column's
    mean runs over the rows that have such a target, in the batch at hand: of one process, and of one step of an
    accumulation.
    """
    squares = targets.pick(wide(logits).softmax(dim=1).square())
    mean = squares.sum(dim=0) / targets.real.sum(dim=0).clamp(min=1.0)
    return (squares + targets.values - mean) * targets.real


def uskd_target(logits: Tensor, labels: Tensor) -> Tensor:
    """-mean_b Σ_t P_t log S_t: logits (B, K), labels (B,) or (B, K) -> scalar."""
    targets = Targets.of(labels)
    made = targets.pick(wide(logits).log_softmax(dim=1))
    return -(soft_targets(logits, targets) * made).sum(dim=1).mean()


def _released_scores(logits: Tensor, weak_logits: Tensor, targets: Targets) -> Tensor:
    # The released code overwrites S by log S before it forms the sum, denominators included.
    terms = wide(weak_logits).softmax(dim=1), wide(logits).log_softmax(dim=1)
    known = [targets.pick(each).sum(dim=1, keepdim=True) for each in terms]
    return terms[0] / (1.0 - known[0] + _TINY) + terms[1] / (1.0 - known[1] + _TINY)


@torch.no_grad()
def class_scores(logits: Tensor, weak_logits: Tensor, targets: Targets, config: RankingConfig) -> Tensor:
    """R (B, K), which ranks the classes: W̃_i + S̃_i = W_i / (1 - W_t) + S_i / (1 - S_t).

    With `scores: log_probabilities` the released W_i / (1 - W_t) + log S_i / (1 - log S_t), where two targets are
    summed. Whom `among: non_target` leaves out has -∞; `all` ranks targets by the same formula.
    """
    keep = targets.others(logits.shape[1])
    if config.scores == "log_probabilities":
        scores = _released_scores(logits, weak_logits, targets)
    else:
        scores = _over_rest(logits, keep) + _over_rest(weak_logits, keep)
    return scores if config.among == "all" else scores.masked_fill(~keep, -torch.inf)


def _over_rest(logits: Tensor, keep: Tensor) -> Tensor:
    # S_i / Σ_{j kept} S_j of all classes, those that are not kept included.
    return (wide(logits) - logsumexp_over(logits, keep)).exp()


def zipf_labels(scores: Tensor, keep: Tensor) -> Tensor:
    """Z_i = (1 / r_i) / Σ_{j kept} (1 / r_j) at the kept classes, else 0; both (B, K).

    r_i is 1 for the largest of all K scores (Zipf, 1949); of equal ones the first class comes first.
    """
    ranks = scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1) + 1
    shares = keep / ranks
    return shares / shares.sum(dim=1, keepdim=True).clamp(min=torch.finfo(shares.dtype).tiny)


def uskd_non_target(logits: Tensor, weak_logits: Tensor, labels: Tensor, config: RankingConfig) -> Tensor:
    """-mean_b Σ_{i≠t} Z_i log S̃_i: both logits (B, K), labels (B,) or (B, K) -> scalar.

    No gradient reaches the weak logits, which only help to rank, nor the target's logit.
    """
    targets = Targets.of(labels)
    keep = targets.others(logits.shape[1])
    wanted = zipf_labels(class_scores(logits, weak_logits, targets, config), keep)
    return -(wanted * log_softmax_over(logits, keep)).sum(dim=1).mean()


def uskd(logits: Tensor, weak_logits: Tensor, labels: Tensor, config: UskdConfig) -> Tensor:
    """α L_target + β L_non + μ L_weak, to be added to the cross-entropy with the labels."""
    weak = label_smoothing(weak_logits, labels, config.smoothing)
    among = uskd_non_target(logits, weak_logits, labels, config.ranking)
    return config.target * uskd_target(logits, labels) + config.non_target * among + config.weak * weak
