"""Texts written without a teacher, one character after the other, each given those before: greedily or by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from speechkd.models.common.masks import length_mask
from speechkd.models.lipreading.characters import BOS, EOS, PAD
from speechkd.models.lipreading.decoder import Decoder, Memory


@dataclass(frozen=True)
class Written:
    """N texts of up to U characters."""

    tokens: Tensor  # (N, U) int64, ending in EOS unless the text was cut; PAD past the lengths
    lengths: Tensor  # (N,) characters, EOS included
    log_probs: Tensor  # (N, U) of each character given those before; zero past the lengths


#: Chooses characters (N,) by their log-probabilities (N, n_symbols).
Choice = Callable[[Tensor], Tensor]


def most_probable(log_probs: Tensor) -> Tensor:
    """The greedy choice: (N, n_symbols) -> (N,)."""
    return log_probs.argmax(dim=-1)


def by_chance(generator: torch.Generator | None) -> Choice:
    """A choice by the probabilities; the generator is on the device of what it chooses from."""

    def choose(log_probs: Tensor) -> Tensor:
        return torch.multinomial(log_probs.exp(), 1, generator=generator).squeeze(-1)

    return choose


@torch.no_grad()
def write(decoder: Decoder, memory: Memory, choose: Choice, longest: int, dropout: bool) -> Written:
    """Write a text for each clip of the memory, of at most `longest` characters with its `EOS`."""
    state = decoder.begin(memory)
    previous = torch.full((len(memory),), BOS, device=memory.states.device)
    ended = torch.zeros_like(previous, dtype=torch.bool)
    tokens: list[Tensor] = []
    scores: list[Tensor] = []
    while len(tokens) < longest and not ended.all():
        state, _ = decoder.step(memory, state, decoder.embed(previous, dropout))
        log_probs = decoder.log_probs(state.readout, dropout)
        chosen = choose(log_probs)
        score = log_probs.gather(-1, chosen[:, None]).squeeze(-1)
        previous = chosen.masked_fill(ended, PAD)
        tokens.append(previous)
        scores.append(score.masked_fill(ended, 0.0))
        ended = ended | (previous == EOS)
    written = torch.stack(tokens, dim=1)
    return Written(written, (written != PAD).sum(dim=1), torch.stack(scores, dim=1))


def score(decoder: Decoder, memory: Memory, tokens: Tensor, lengths: Tensor, dropout: bool) -> Tensor:
    """Log-probabilities (N, U) of written tokens (N, U), zero past the lengths (N,), in one pass with gradient."""
    log_probs, _ = decoder(memory, tokens, dropout)
    chosen = log_probs.gather(-1, tokens[:, :, None]).squeeze(-1)
    return chosen.masked_fill(~length_mask(lengths, tokens.shape[1]), 0.0)
