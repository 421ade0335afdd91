"""The two losses of a learned alignment, on scores (F, S): the frames of an utterance in the states of its graph."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from speechkd.align.mas.search import best_path, forward_sum


class _ForwardSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, sources: NDArray[Any]) -> Tensor:
        total, shares = forward_sum(scores.detach().cpu().numpy(), sources)
        ctx.save_for_backward(torch.from_numpy(shares).to(scores))
        return scores.new_tensor(total)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (shares,) = ctx.saved_tensors
        return gradient * shares, None


def forward_sum_loss(scores: Tensor, sources: NDArray[Any]) -> Tensor:
    """- log of the sum over all paths of exp(sum of scores): a scalar, the forward-sum loss of Badlani et al. 2021."""
    loss: Tensor = -_ForwardSum.apply(scores, sources)
    return loss


def binarisation_loss(log_posteriors: Tensor, scores: Tensor, sources: NDArray[Any]) -> Tensor:
    """- sum of log posteriors (F, S) on the path that is best by `scores`: a scalar, Badlani's binarisation loss.

    The divergence of the hard alignment from the soft one; the path itself is taken as given.
    """
    path = torch.from_numpy(best_path(scores.detach().cpu().numpy(), sources)).long().to(log_posteriors.device)
    return -log_posteriors.gather(1, path[:, None]).sum()
