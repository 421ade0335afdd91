"""Baselines and the scale of rewards. All values are rewards per step, and carry no gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from speechkd.losses.policy.options import Baseline
from speechkd.losses.policy.rewards import step_mask


def mean_reward(rewards: Tensor, lengths: Tensor) -> Tensor:
    """(B,) mean over each sample's own steps of rewards (B, T) that are 0 in the padding; lengths: (B,)."""
    return rewards.detach().sum(dim=1) / lengths.clamp(min=1)


def leave_one_out(values: Tensor, samples: int) -> Tensor:
    """b (B,): the mean of the other samples of the same clip. values: (B,), the samples of a clip side by side.

    A mean with the sample itself would scale the expected gradient by 1 - 1/samples.
    """
    groups = values.detach().view(-1, samples)
    return ((groups.sum(dim=1, keepdim=True) - groups) / (samples - 1)).flatten()


class BaselineLevel:
    """The baseline of one run; the moving average b ← decay · b + (1 - decay) · mean(values) is its only state."""

    def __init__(self, options: Baseline) -> None:
        self._options = options
        self.average: float | None = None

    def __call__(self, values: Tensor, greedy: Tensor | None = None) -> Tensor:
        """b (B,) for the mean rewards `values` (B,), the samples of a clip side by side.

        greedy: (B,) mean rewards of the greedy text of each sample's clip, for `greedy` alone (self-critical training,
        Rennie et al., CVPR 2017). The moving average is of the batches before this one, so that it does not know these
        samples: 0 for the first. Raises ValueError if greedy rewards are needed and not given.
        """
        values = values.detach()
        if self._options.name == "leave_one_out":
            return leave_one_out(values, self._options.samples)
        if self._options.name == "moving_average":
            return self._averaged(values)
        if self._options.name == "none":
            return torch.zeros_like(values)
        if greedy is None:
            raise ValueError("the greedy baseline needs the rewards of the greedy texts")
        return greedy.detach()

    def _averaged(self, values: Tensor) -> Tensor:
        before, mean = self.average, float(values.mean())
        self.average = mean if before is None else self._options.decay * before + (1.0 - self._options.decay) * mean
        return torch.full_like(values, before or 0.0)


def reward_spread(rewards: Tensor, lengths: Tensor) -> Tensor:
    """The standard deviation () of rewards (B, T) over all valid steps of the minibatch, 1 if they are all the same.

    To divide the batch's rewards by, and those of its greedy texts. Not per sequence: a text's own spread would make
    every text equally good. Rewards are not centred: that is the baseline's task, and the batch's mean knows the
    sample.
    """
    spread = rewards.detach()[step_mask(lengths, rewards.shape[1])].std(correction=0)
    return torch.where(spread > 0, spread, torch.ones_like(spread))
