"""The most probable text of each clip by beam search, all beams of a batch in one step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from speechkd.models.lipreading.characters import BOS, EOS, PAD
from speechkd.models.lipreading.decoder import Decoder, Memory, State


@dataclass(frozen=True)
class Beams:
    """K unfinished or finished texts for each of B clips, best first."""

    tokens: Tensor  # (B, K, U)
    scores: Tensor  # (B, K) log-probabilities
    lengths: Tensor  # (B, K) characters, EOS included
    ended: Tensor  # (B, K)
    state: State  # of B * K texts


@torch.no_grad()
def beam_search(decoder: Decoder, memory: Memory, width: int, length_penalty: float, longest: int) -> Tensor:
    """The best text of each clip: (B, U) with `EOS`, `PAD` behind it.

    Texts are compared by log-probability / length^length_penalty (Wu et al., arXiv 1609.08144, without its constants);
    0 compares them by probability alone, which favours short ones. A text that `longest` cuts competes as it is.
    """
    copies = memory.repeat(width)
    beams = _begin(decoder, copies, width)
    while beams.tokens.shape[-1] < longest and not _decided(beams, length_penalty, longest):
        beams = _extend(decoder, copies, beams, length_penalty)
    tokens = beams.tokens[:, 0]
    return tokens[:, : int(beams.lengths[:, 0].max())]


def _begin(decoder: Decoder, copies: Memory, width: int) -> Beams:
    """The empty text once per clip; the other beams cannot win until there are texts for them."""
    shape = (len(copies) // width, width)
    scores = torch.full(shape, -torch.inf, device=copies.states.device)
    scores[:, 0] = 0.0
    lengths = torch.zeros_like(scores, dtype=torch.long)
    return Beams(lengths.new_zeros(*shape, 0), scores, lengths, lengths > 0, decoder.begin(copies))


def _extend(decoder: Decoder, copies: Memory, beams: Beams, length_penalty: float) -> Beams:
    """The best K of all texts that are one character longer, and of those that have ended."""
    state, log_probs = _one_on(decoder, copies, beams)
    lengths = beams.lengths + (~beams.ended).long()
    totals = beams.scores[:, :, None] + log_probs
    ranks = totals / lengths[:, :, None].float() ** length_penalty
    best = ranks.flatten(1).topk(beams.scores.shape[1], dim=1).indices
    parents, chosen = best // log_probs.shape[-1], best % log_probs.shape[-1]
    first = torch.arange(len(parents), device=parents.device)[:, None] * parents.shape[1]
    kept = beams.tokens.gather(1, parents[:, :, None].expand(-1, -1, beams.tokens.shape[-1]))
    return Beams(
        torch.cat([kept, chosen[:, :, None]], dim=-1),
        totals.flatten(1).gather(1, best),
        lengths.gather(1, parents),
        beams.ended.gather(1, parents) | (chosen == EOS),
        state.select((first + parents).flatten()),
    )


def _one_on(decoder: Decoder, copies: Memory, beams: Beams) -> tuple[State, Tensor]:
    """The next states and (B, K, n_symbols) log-probabilities: a text that has ended goes on as `PAD`, at no cost."""
    empty = beams.tokens.shape[-1] == 0
    previous = torch.full_like(beams.lengths, BOS) if empty else beams.tokens[:, :, -1]
    state, _ = decoder.step(copies, beams.state, decoder.embed(previous.flatten(), dropout=False))
    log_probs = decoder.log_probs(state.readout, dropout=False).unflatten(0, beams.lengths.shape)
    log_probs[..., [PAD, BOS]] = -torch.inf
    waiting = torch.full_like(log_probs[0, 0], -torch.inf)
    waiting[PAD] = 0.0
    return state, torch.where(beams.ended[:, :, None], waiting, log_probs)


def _decided(beams: Beams, length_penalty: float, longest: int) -> bool:
    """Whether the best text of every clip has ended and no other can still overtake it."""
    if beams.tokens.shape[-1] == 0:
        return False
    best = beams.scores[:, 0] / beams.lengths[:, 0].float() ** length_penalty
    # A log-probability only falls, and is divided by no more than the longest length's power.
    hopes = (beams.scores / float(longest) ** length_penalty).masked_fill(beams.ended, -torch.inf)
    return bool((beams.ended[:, 0] & (hopes.amax(dim=1) <= best)).all())
