"""Baselines and the scale of rewards. All values are rewards per step, and carry no gradient."""

from __future__ import annotations

import torch
from torch import Tensor

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


class MovingAverage:
    """b ← decay · b + (1 - decay) · mean(values), starting at the first batch's mean."""

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self.value: float | None = None

    def baseline(self, values: Tensor) -> Tensor:
        """b (B,) from the batches before this one, so that it does not know these samples; 0 before the first."""
        return torch.full_like(values.detach(), self.value or 0.0)

    def update(self, values: Tensor) -> None:
        """Take in a batch's values (B,)."""
        mean = float(values.detach().mean())
        self.value = mean if self.value is None else self._decay * self.value + (1.0 - self._decay) * mean


def normalise_rewards(rewards: Tensor, lengths: Tensor) -> Tensor:
    """Rewards (B, T) divided by their standard deviation over all valid steps of the minibatch.

    Not per sequence: a text's own spread would make every text equally good. Not centred: that is the baseline's task,
    and the batch's mean knows the sample.
    """
    rewards = rewards.detach()
    spread = rewards[step_mask(lengths, rewards.shape[1])].std(correction=0)
    return torch.where(spread > 0, rewards / spread, rewards)
