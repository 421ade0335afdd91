"""Writing a text for clips: by chance, greedily, or with a beam. Nothing here keeps a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from speechkd.models.lipreading.decoder import Masks, Memory
from speechkd.models.lipreading.network import LipReader, writable
from speechkd.models.lipreading.symbols import BOS, EOS, PAD

# Below the logarithm of any probability: sums of it stay numbers.
_NEVER = -1e9


class Written(NamedTuple):
    """Sequences that end with EOS, unless cut off: symbols (B, S, T) padded with PAD, lengths (B, S) with the end, and
    log_probabilities (B, S, T) of the symbols, 0 in the padding.
    """

    symbols: Tensor
    lengths: Tensor
    log_probabilities: Tensor


@torch.no_grad()
def sample(model: LipReader, memory: Memory, rows: int, masks: Masks | None = None) -> Written:
    """Draw `rows` sequences per clip from the model's distribution, all of them side by side."""

    def draw(logs: Tensor) -> Tensor:
        return torch.multinomial(logs.exp().flatten(0, 1), 1).view(logs.shape[:2])

    return _write(model, memory, rows, masks, draw)


@torch.no_grad()
def greedy(model: LipReader, memory: Memory) -> Written:
    """The most probable character each time: S = 1."""
    return _write(model, memory, 1, None, lambda logs: logs.argmax(dim=-1))


def _write(
    model: LipReader, memory: Memory, rows: int, masks: Masks | None, choose: Callable[[Tensor], Tensor]
) -> Written:
    state = model.decoder.begin(memory, rows)
    last = memory.mask.new_full((len(memory.mask), rows), BOS, dtype=torch.long)
    done = torch.zeros_like(last, dtype=torch.bool)
    symbols, logs = [], []
    for _ in range(model.config.max_characters):
        state, _ = model.decoder.step(last, state, memory, masks)
        step_logs = _writable(model.decoder.logits(state))
        last = choose(step_logs).masked_fill(done, PAD)
        logs.append(step_logs.gather(-1, last[..., None]).squeeze(-1).masked_fill(done, 0.0))
        symbols.append(last)
        done = done | (last == EOS)
        if bool(done.all()):
            break
    written = torch.stack(symbols, dim=2)
    return Written(written, (written != PAD).sum(dim=2), torch.stack(logs, dim=2))


def _writable(logits: Tensor) -> Tensor:
    """log p of the next symbol (B, S, n_symbols): padding and beginning are nothing that can be written."""
    return torch.log_softmax(writable(logits), dim=-1)


@torch.no_grad()
def beam(model: LipReader, memory: Memory, width: int = 5, length_power: float = 0.0) -> Written:
    """The best sequences that a beam finds, best first: S = width.

    A sequence of L symbols, its end included, is worth log p / L ** length_power. Ended ones stay in the beam for as
    long as they are among the best.
    """
    search = _Beam(model, memory, width, length_power)
    while not search.finished:
        search.step()
    return search.found()


class _Beam:
    """Sequences of all clips side by side: one step of the model serves all of them."""

    def __init__(self, model: LipReader, memory: Memory, width: int, length_power: float) -> None:
        self.model, self.memory, self.width, self.length_power = model, memory, width, length_power
        n_clips = len(memory.mask)
        self.state = model.decoder.begin(memory, width)
        self.logs = memory.values.new_zeros(n_clips, width, 0)
        self.symbols = memory.mask.new_zeros(n_clips, width, 0, dtype=torch.long)
        self.done = memory.mask.new_zeros(n_clips, width)
        # All rows are the same empty sequence at first: only one of them may be continued.
        self.dead = memory.mask.new_ones(n_clips, width)
        self.dead[:, 0] = False

    @property
    def finished(self) -> bool:
        """Whether nothing can be added any more."""
        return self.symbols.shape[2] == self.model.config.max_characters or bool((self.done | self.dead).all())

    def step(self) -> None:
        """One symbol more for the sequences that go on."""
        last = self.symbols[:, :, -1] if self.symbols.shape[2] else torch.full_like(self.done, BOS, dtype=torch.long)
        self.state, _ = self.model.decoder.step(last, self.state, self.memory)
        logs = self._continued(_writable(self.model.decoder.logits(self.state)))
        n_symbols = logs.shape[2]
        best = self._worth(logs).flatten(1).topk(self.width, dim=1)
        rows, symbols = best.indices // n_symbols, best.indices % n_symbols
        added = logs.flatten(1).gather(1, best.indices)
        self.state = self.state.chosen(rows)
        self.symbols = torch.cat([_rows(self.symbols, rows), symbols[..., None]], dim=2)
        self.logs = torch.cat([_rows(self.logs, rows), added[..., None].clamp(min=_NEVER)], dim=2)
        self.done = self.done.gather(1, rows) | (symbols == EOS)
        self.dead = best.values == float("-inf")

    def _continued(self, logs: Tensor) -> Tensor:
        """log p of each continuation; an ended sequence has one, which is free."""
        ended = torch.full_like(logs, float("-inf"))
        ended[:, :, PAD] = 0.0
        logs = torch.where(self.done[..., None], ended, logs)
        return logs.masked_fill(self.dead[..., None], float("-inf"))

    def _worth(self, logs: Tensor) -> Tensor:
        lengths = (self.symbols != PAD).sum(dim=2) + (~self.done).long()
        return (self.logs.sum(dim=2)[..., None] + logs) / lengths[..., None] ** self.length_power

    def found(self) -> Written:
        """The sequences, best first: `topk` has sorted them."""
        return Written(self.symbols, (self.symbols != PAD).sum(dim=2), self.logs)


def _rows(values: Tensor, rows: Tensor) -> Tensor:
    return values.gather(1, rows[..., None].expand(-1, -1, values.shape[2]))
