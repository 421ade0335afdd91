"""Policy gradients for sequences of characters, with the pseudo-convolution of PCPG (Luo et al., FG 2020, arXiv
2003.03983): rewards and losses are averaged over windows of k steps, s steps apart.

The paper's code was never released. The definition here is the one that its abstract admits; kernel, stride, reward and
baseline are arguments. All functions take samples side by side, B clips with S samples of at most T symbols each, and
know the true length of every sample: padding is in no window. Rewards and weights carry no gradient.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Reward = Literal["incremental", "prefix", "prefix_increment", "terminal"]


def edit_table(hypotheses: Tensor, references: Tensor) -> Tensor:
    """D[n, t, u]: edits between the first t symbols of hypothesis n and the first u of reference n.

    hypotheses: (N, T); references: (N, U) -> (N, T + 1, U + 1), int64. Cells beyond a true length mean nothing, and no
    other cell depends on them. One loop over t: within a row, insertions are a running minimum of D[t, u] - u.
    """
    places = torch.arange(references.shape[1] + 1, device=references.device)
    row = places.expand(len(references), -1)
    rows = [row]
    for symbols in hypotheses.unbind(dim=1):
        kept = row[:, :-1] + (symbols[:, None] != references).long()
        best = torch.cat([row[:, :1] + 1, torch.minimum(row[:, 1:] + 1, kept)], dim=1)
        row = (best - places).cummin(dim=1).values + places
        rows.append(row)
    return torch.stack(rows, dim=1)


class Samples(NamedTuple):
    """What was drawn: symbols (B, S, T), lengths (B, S) with the end of the sentence, ended (B, S): not cut off."""

    symbols: Tensor
    lengths: Tensor
    ended: Tensor

    @property
    def mask(self) -> Tensor:
        """(B, S, T): true where a symbol is."""
        return torch.arange(self.symbols.shape[2], device=self.lengths.device) < self.lengths[..., None]


@torch.no_grad()
def step_rewards(kind: Reward, samples: Samples, references: Tensor, reference_lengths: Tensor) -> Tensor:
    """What each step earns (B, S, T), more being better, 0 in the padding.

    references: (B, U) texts without their end; reference_lengths: (B,). With D(t, u) as in `edit_table`, U the true
    length, n(t) the characters written by step t and m(t) = min_u D(t, u), but m = D(n, U) once the end is written:

    - incremental: D(t - 1, U) - D(t, U), which sums to U - edits: the end itself earns nothing;
    - prefix: 1 - m(t) / max(n(t), 1);
    - prefix_increment: m(t - 1) - m(t), which sums to -edits for a sentence that ended;
    - terminal: 1 - edits / U at the last step, nothing before. Not clipped: below 0 for more edits than characters.
    """
    to_all, to_best, written = _distances(samples, references, reference_lengths)
    if kind == "incremental":
        rewards = to_all[..., :-1] - to_all[..., 1:]
    elif kind == "prefix_increment":
        rewards = to_best[..., :-1] - to_best[..., 1:]
    elif kind == "prefix":
        rewards = 1.0 - to_best[..., 1:] / written[..., 1:].clamp(min=1)
    else:
        last = torch.arange(to_all.shape[2] - 1, device=to_all.device) == samples.lengths[..., None] - 1
        rewards = (1.0 - to_all[..., 1:] / reference_lengths[:, None, None].clamp(min=1)) * last
    return rewards * samples.mask


def _distances(samples: Samples, references: Tensor, reference_lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, S, T + 1) after 0 to T steps: edits to the whole text, to its nearest beginning, and characters written."""
    n_clips, n_rows, n_steps = samples.symbols.shape
    table = edit_table(samples.symbols.flatten(0, 1), references.repeat_interleave(n_rows, dim=0))
    table = table.view(n_clips, n_rows, n_steps + 1, -1).float()
    steps = torch.arange(n_steps + 1, device=table.device)
    written = torch.minimum(steps, (samples.lengths - samples.ended.long())[..., None])
    table = table.gather(2, written[..., None].expand_as(table))
    to_all = table.gather(3, reference_lengths.view(-1, 1, 1, 1).expand(-1, n_rows, n_steps + 1, 1)).squeeze(3)
    beyond = torch.arange(table.shape[3], device=table.device) > reference_lengths.view(-1, 1, 1, 1)
    to_best = table.masked_fill(beyond, torch.inf).amin(dim=3)
    end = samples.ended[..., None] & (steps >= samples.lengths[..., None])
    return to_all, torch.where(end, to_all, to_best), written


class Returns(NamedTuple):
    """What is credited, by field j: values (B, S, J), mask (B, S, J) of fields that there are, and the share (B, S, J,
    T) that each step's loss has in a field. The loss is Σ_j (values_j - baseline_j) · Σ_t share_jt · -log p_t.
    """

    values: Tensor
    mask: Tensor
    share: Tensor

    def weights(self, baseline: Tensor | float = 0.0) -> Tensor:
        """The factor w_t (B, S, T) of each step's -log p_t, from baselines (B, S, J) or one for all."""
        return self.spread(self.values - baseline)

    def spread(self, advantages: Tensor) -> Tensor:
        """Advantages (B, S, J) of the fields as factors (B, S, T) of the steps."""
        known = (advantages * self.mask).detach()
        return (known[:, :, None] @ self.share).squeeze(2)


@torch.no_grad()
def windows(lengths: Tensor, n_steps: int, kernel: int, stride: int) -> Tensor:
    """W[..., j, t]: whether step t is in window j, for true lengths (...) and T = n_steps.

    A sequence of length L has 1 + ceil((L - k) / s) windows if L > k, else one. The last one is moved back to end with
    the sequence, so that no step of the tail is left out; kernels longer than a sequence are cut off at its end.
    """
    n_windows = 1 + (lengths - kernel + stride - 1).clamp(min=0) // stride
    most = 1 + max(0, -(-(n_steps - kernel) // stride))
    number = torch.arange(most, device=lengths.device)
    starts = torch.minimum(number * stride, (lengths[..., None] - kernel).clamp(min=0))
    ends = torch.minimum(starts + kernel, lengths[..., None])
    steps = torch.arange(n_steps, device=lengths.device)
    inside = (steps >= starts[..., None]) & (steps < ends[..., None])
    return inside & (number < n_windows[..., None])[..., None]


def pseudo_convolution(rewards: Tensor, lengths: Tensor, kernel: int, stride: int) -> Returns:
    """Mean rewards and mean losses of windows: R_j = Σ_{t∈W_j} r_t / |W_j|, L = (1/J) Σ_j (R_j - b) · Λ_j.

    rewards: (B, S, T); lengths: (B, S). k = s = 1 is REINFORCE with immediate rewards; k ≥ T credits every step with
    the mean reward of its sentence.
    """
    inside = windows(lengths, rewards.shape[2], kernel, stride).to(rewards.dtype)
    mean = inside / inside.sum(dim=3, keepdim=True).clamp(min=1.0)
    mask = inside.any(dim=3)
    values = (mean @ rewards[..., None]).squeeze(3)
    return Returns(values, mask, mean / mask.sum(dim=2).clamp(min=1)[..., None, None])


def sentence_return(rewards: Tensor, lengths: Tensor) -> Returns:
    """REINFORCE (Williams, 1992): all steps are credited with Σ_t r_t, and the losses of the steps are averaged."""
    mask = _inside(lengths, rewards.shape[2])
    share = mask.to(rewards.dtype) / lengths.clamp(min=1)[..., None]
    return Returns((rewards * mask).sum(dim=2, keepdim=True), lengths[..., None] > 0, share[:, :, None])


def reward_to_go(rewards: Tensor, lengths: Tensor) -> Returns:
    """Step t is credited with Σ_{t' ≥ t} r_t', what came of it; the losses of the steps are averaged."""
    mask = _inside(lengths, rewards.shape[2])
    values = (rewards * mask).flip(2).cumsum(dim=2).flip(2)
    share = torch.eye(rewards.shape[2], device=rewards.device).expand(*mask.shape, -1)
    return Returns(values, mask, share * mask[..., None] / lengths.clamp(min=1)[..., None, None])


def _inside(lengths: Tensor, n_steps: int) -> Tensor:
    return torch.arange(n_steps, device=lengths.device) < lengths[..., None]


def leave_one_out(returns: Returns) -> Tensor:
    """Of each sample, the mean over the *other* samples of its clip (B, S, J), field by field.

    Its own value is left out, or the gradient would shrink by 1 - 1/S. A field that no other sample has takes the mean
    of all their fields. At least two samples are needed.
    """
    values, mask = returns.values * returns.mask, returns.mask.to(returns.values.dtype)
    sums, counts = (x.sum(dim=1, keepdim=True) - x for x in (values, mask))
    overall = sums.sum(dim=2, keepdim=True) / counts.sum(dim=2, keepdim=True).clamp(min=1.0)
    return torch.where(counts > 0, sums / counts.clamp(min=1.0), overall)


def of_another(returns: Returns, other: Returns) -> Tensor:
    """The values of another sequence of the clip, such as the greedy one, field by field.

    other: (B, 1, J') -> (B, S, J). A field that it does not have takes its mean.
    """
    values, mask = other.values * other.mask, other.mask
    mean = values.sum(dim=2, keepdim=True) / mask.sum(dim=2, keepdim=True).clamp(min=1)
    filled = torch.where(mask, values, mean)
    missing = returns.values.shape[2] - filled.shape[2]
    if missing > 0:
        filled = torch.cat([filled, mean.expand(-1, -1, missing)], dim=2)
    return filled[:, :, : returns.values.shape[2]].expand_as(returns.values)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over true places, a scalar."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def normalised(advantages: Tensor, mask: Tensor) -> Tensor:
    """Advantages by their deviation over the whole minibatch. Sequence by sequence, good and bad ones would weigh
    the same.
    """
    mean = masked_mean(advantages, mask)
    deviation = masked_mean((advantages - mean).square(), mask).sqrt()
    return advantages / deviation.clamp(min=1e-6)


def policy_loss(log_probabilities: Tensor, weights: Tensor) -> Tensor:
    """Σ_t w_t · -log p_t, its mean over clips and samples: both (B, S, T). To be minimised: w > 0 makes likelier."""
    return -(log_probabilities * weights.detach()).sum(dim=2).mean()


def logit_gradient(loss: Tensor, logits: Tensor) -> Tensor:
    """‖∂loss / ∂logits‖: how hard a term pulls, at the price of one step back. The graph is kept.

    A mean over windows shrinks gradients like 1 / k: terms must be compared at equal norm, or a sweep of k is one of
    the learning rate.
    """
    (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
    return gradient.norm()
