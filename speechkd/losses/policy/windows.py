"""The pseudo-convolution: rewards and losses averaged over the same sliding windows, nothing learned (Luo et al.,
FG 2020, arXiv 2003.03983; their formula is not public, and this one is a reading of the abstract).
"""

from __future__ import annotations

import torch
from torch import Tensor

from speechkd.losses.policy.options import Estimate
from speechkd.losses.policy.rewards import step_mask


def step_weights(rewards: Tensor, lengths: Tensor, options: Estimate, baseline: Tensor | None = None) -> Tensor:
    """w (B, T) of -log p_t, without a gradient and 0 in the padding. rewards: (B, T); lengths T_b: (B,).

    With the baseline b (B,), a reward per step, and means over the sample's own T_b steps:
    - `windows`: w_t = Σ_{j∋t} (R_j - b) / (J |W_j|), see `pseudo_convolution`.
    - `sentence`: w_t = (mean_u r_u - b) / T_b.
    - `reward_to_go`: w_t = Σ_{u≥t} (r_u - b) / T_b.

    `match_scale` multiplies all of them by one number, so that their root mean square over the batch's valid steps is
    that of kernel 1 and stride 1 with the same rewards and b. Means over windows shrink the gradient roughly as 1/k,
    and comparing kernels at one learning rate would compare step sizes. It matches the weights, not the gradient's
    norm, which depends on the model.
    """
    rewards = rewards.detach()
    level = rewards.new_zeros(len(rewards)) if baseline is None else baseline.detach().to(rewards)
    advantages = (rewards - level[:, None]).masked_fill(~step_mask(lengths, rewards.shape[1]), 0.0)
    weights = _weights(advantages, lengths, options)
    if options.match_scale:
        # A batch without any reward has weights of 0, and stays as it is.
        unit = advantages / lengths[:, None].clamp(min=1)
        weights = weights * (unit.norm() / weights.norm().clamp(min=torch.finfo(weights.dtype).tiny))
    return weights


def _weights(advantages: Tensor, lengths: Tensor, options: Estimate) -> Tensor:
    valid = step_mask(lengths, advantages.shape[1])
    steps = lengths[:, None].clamp(min=1)
    if options.estimator == "windows":
        return pseudo_convolution(advantages, lengths, options.kernel, options.stride)
    if options.estimator == "sentence":
        return advantages.sum(dim=1, keepdim=True) / steps.square() * valid
    return advantages.flip(1).cumsum(dim=1).flip(1) / steps * valid


def pseudo_convolution(rewards: Tensor, lengths: Tensor, kernel: int, stride: int) -> Tensor:
    """w_t = Σ_{j∋t} R_j / (J |W_j|), R_j = mean of r over W_j: (B, T), for rewards (B, T) and lengths T_b (B,).

    J = 1 + ceil((T_b - k)/s) windows of min(k, T_b) steps, 1 if T_b ≤ k, counted per sample on its own length. The
    last is moved back to end at T_b: cut short instead, it would give the end of a text, often a single end symbol,
    up to k times the weight of other steps. For s ≤ k every step is in a window.
    """
    sums = torch.nn.functional.pad(rewards.double().cumsum(dim=1), (1, 0))
    size = lengths.clamp(max=kernel)[:, None]
    spare = lengths[:, None] - size
    count = 1 + (spare + stride - 1) // stride
    window = torch.arange(1 + max(rewards.shape[1] - 1, 0) // stride + 1, device=rewards.device)
    start = (window * stride).minimum(spare)
    total = sums.gather(1, start + size) - sums.gather(1, start)
    share = total / (size.clamp(min=1).square() * count) * (window < count)
    # Each window adds its share from its start on, and takes it back behind its end.
    change = torch.zeros_like(sums).scatter_add(1, start, share).scatter_add(1, start + size, -share)
    valid = step_mask(lengths, rewards.shape[1])
    return change.cumsum(dim=1)[:, :-1].masked_fill(~valid, 0.0).to(rewards.dtype)


def policy_loss(log_probs: Tensor, weights: Tensor, mask: Tensor) -> Tensor:
    """(1/B) Σ_b Σ_t w_t · (-log p_t), to be minimised. All (B, T); only log_probs gets a gradient.

    log_probs: of the sampled symbols, from one teacher-forced pass over them. The sampling pass needs no gradient, but
    the same mode of dropout, or they belong to another policy.
    """
    # Filled before the product: a padded log-probability may be -∞, and 0 · ∞ would reach the gradient.
    losses = -log_probs.masked_fill(~mask, 0.0) * weights.detach().masked_fill(~mask, 0.0)
    return losses.sum() / max(len(losses), 1)
