"""The policy gradient of a batch: draw, reward, compare with a baseline, score again."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recipes.lipreading.pcpg.config import PcpgOptions, PolicyOptions, RewardToGoOptions, TerminalOptions
from recipes.lipreading.pcpg.dataset import Batch
from speechkd.losses.policy import (
    Returns,
    Reward,
    Samples,
    leave_one_out,
    masked_mean,
    normalised,
    of_another,
    policy_loss,
    pseudo_convolution,
    reward_to_go,
    sentence_return,
    step_rewards,
)
from speechkd.models.lipreading.decoder import Memory
from speechkd.models.lipreading.network import LipReader, log_probability
from speechkd.models.lipreading.search import Written, greedy, sample
from speechkd.models.lipreading.symbols import EOS, PAD

# Share of the moving average that a batch replaces.
_MOVES = 0.05


class Policy(nn.Module):
    """A lip reader, and the running mean of what it earns: a checkpoint holds both."""

    mean_return: Tensor

    def __init__(self, reader: LipReader) -> None:
        super().__init__()
        self.reader = reader
        self.register_buffer("mean_return", torch.zeros(()))


class Pass(NamedTuple):
    """A teacher-forced pass over the texts (B, 1, U) and what was drawn (B, S, T), all at once: logits and terms."""

    logits: Tensor
    cross_entropy: Tensor
    policy: Tensor | None


def as_samples(written: Written) -> Samples:
    """What was written, with who came to an end."""
    return Samples(written.symbols, written.lengths, (written.symbols == EOS).any(dim=2))


def estimator(options: PolicyOptions) -> tuple[Reward, Callable[[Tensor, Tensor], Returns]]:
    """The reward of an objective, and how steps are credited with it."""
    if isinstance(options, PcpgOptions):
        return options.reward, lambda r, n: pseudo_convolution(r, n, options.kernel, options.stride)
    if isinstance(options, RewardToGoOptions):
        return options.reward, reward_to_go
    assert isinstance(options, TerminalOptions)
    return "terminal", sentence_return


def cross_entropy(logits: Tensor, text: Tensor, smoothing: float) -> Tensor:
    """Mean over characters of -log p, smoothed: logits (B, U, n_symbols), text (B, U) padded with PAD."""
    return F.cross_entropy(logits.flatten(0, 1).float(), text.flatten(), ignore_index=PAD, label_smoothing=smoothing)


def discriminative(reader: LipReader, memory: Memory, batch: Batch, smoothing: float) -> Pass:
    """Cross-entropy alone."""
    masks = reader.decoder.masks(len(batch.text), 1)
    logits = reader.score(memory, batch.text[:, None], masks)
    return Pass(logits, cross_entropy(logits[:, 0], batch.text, smoothing), None)


def sampled(policy: Policy, memory: Memory, batch: Batch, options: PolicyOptions, smoothing: float) -> Pass:
    """Cross-entropy and the policy gradient from one pass of the decoder over the texts and the samples.

    Samples are drawn without gradients from the same encoded frames and under the same dropout as they are scored.
    """
    reader = policy.reader
    masks = reader.decoder.masks(len(batch.text), 1 + options.samples)
    drawn = as_samples(sample(reader, memory.detached(), options.samples, masks and masks.from_row(1)))
    weights = step_weights(policy, memory, batch, drawn, options)
    both = torch.cat(_padded(batch.text[:, None], drawn.symbols), dim=1)
    logits = reader.score(memory, both, masks)
    n_text, n_drawn = batch.text.shape[1], drawn.symbols.shape[2]
    loss = policy_loss(log_probability(logits[:, 1:, :n_drawn], drawn.symbols), weights)
    return Pass(logits, cross_entropy(logits[:, 0, :n_text], batch.text, smoothing), loss)


def _padded(*rows: Tensor) -> list[Tensor]:
    width = max(each.shape[2] for each in rows)
    return [F.pad(each, (0, width - each.shape[2]), value=PAD) for each in rows]


@torch.no_grad()
def step_weights(policy: Policy, memory: Memory, batch: Batch, drawn: Samples, options: PolicyOptions) -> Tensor:
    """What each drawn character is credited with (B, S, T)."""
    reward, credit = estimator(options)
    text, lengths = batch.text, batch.text_lengths
    returns = credit(step_rewards(reward, drawn, text, lengths), drawn.lengths)
    if options.baseline == "leave_one_out":
        advantages = returns.values - leave_one_out(returns)
    elif options.baseline == "greedy":
        best = as_samples(greedy(policy.reader, memory.detached()))
        other = credit(step_rewards(reward, best, text, lengths), best.lengths)
        advantages = returns.values - of_another(returns, other)
    elif options.baseline == "moving_average":
        advantages = returns.values - policy.mean_return
        if policy.training:
            policy.mean_return.lerp_(masked_mean(returns.values, returns.mask), _MOVES)
    else:
        advantages = returns.values
    return returns.spread(normalised(advantages, returns.mask) if options.normalise else advantages)


def freeze_statistics(model: nn.Module) -> None:
    """Let all batch norms of a training model use, and keep, the statistics that they have."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
