"""Rewards per step from edit distances; larger is better. Form and sign are choices: the paper says only that the
character error rate is "a form of reward" (Luo et al., FG 2020, arXiv 2003.03983).
"""

from __future__ import annotations

import torch
from torch import Tensor

from speechkd.losses.policy.options import EndReward, RewardKind


def step_mask(lengths: Tensor, n_steps: int) -> Tensor:
    """True (B, n_steps) before each row's length (B,)."""
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]


def step_rewards(
    whole: Tensor,
    nearest: Tensor,
    lengths: Tensor,
    characters: Tensor,
    reference_lengths: Tensor,
    kind: RewardKind = "incremental",
    end: EndReward = "missing",
) -> Tensor:
    """r (B, T), without a gradient and 0 in the padding, for hypotheses of `lengths` (B,) steps, end symbol included,
    and `characters` (B,) without it.

    whole, nearest: (B, T + 1) edits of every prefix to the reference and to its nearest prefix, the end symbol not
    counted as a character (it changes nothing); reference_lengths: (B,) characters U, the end symbol not counted.

    - `incremental`: r_t = -(ED_t - ED_{t-1}), in {-1, 0, 1}; sums to U - ED.
    - `prefix_value`: V_t = 1 - nearest_t / max(t, 1); `prefix`: its increment, with V_0 = 1.
    - `terminal`: 1 - ED / max(U, 1) at the last step, else 0. It may be negative.

    `end` says what the last step earns, be it the end symbol or the limit of length. `free`: the end symbol earns an
    increment of 0, and the prefix forms see nothing wrong with an empty text. `missing`: the characters left unsaid,
    whole - nearest, are taken from an incremental reward, and the prefix forms end at V_T = 1 - ED / max(U, 1), so
    that increments sum to -CER. `terminal` knows no difference.
    """
    last = _last_step(lengths, whole.shape[1] - 1)
    final = 1.0 - whole[:, -1:] / reference_lengths[:, None].clamp(min=1)
    if kind == "terminal":
        return (last * final).detach()
    if kind == "incremental":
        unsaid = (whole - nearest)[:, 1:] if end == "missing" else torch.zeros_like(whole[:, 1:])
        rewards = (whole[:, :-1] - whole[:, 1:] - unsaid * last).to(final.dtype)
    else:
        values = _prefix_values(nearest, characters)
        values = torch.where(last, final, values) if end == "missing" else values
        before = torch.cat([torch.ones_like(final), values[:, :-1]], dim=1)
        rewards = values - before if kind == "prefix" else values
    return rewards.masked_fill(~step_mask(lengths, rewards.shape[1]), 0.0).detach()


def _last_step(lengths: Tensor, n_steps: int) -> Tensor:
    return torch.arange(n_steps, device=lengths.device) == lengths[:, None] - 1


def _prefix_values(nearest: Tensor, characters: Tensor) -> Tensor:
    """V_1..V_T; an end symbol is no character, and keeps the value before it."""
    said = torch.arange(1, nearest.shape[1], device=nearest.device).minimum(characters[:, None])
    return 1.0 - nearest[:, 1:] / said.clamp(min=1)
