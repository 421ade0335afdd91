"""The decoder: a GRU that attends to the encoded frames and writes characters.

All shapes have a clip axis B and a row axis S: the samples of a clip, its beams, or its text alone (S = 1). Rows of a
clip share its frames, which are never copied.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from speechkd.models.lipreading.config import DecoderConfig


class Memory(NamedTuple):
    """Encoded frames: values (B, N, E), keys (B, N, A) to which states are compared, mask (B, N)."""

    values: Tensor
    keys: Tensor
    mask: Tensor

    def detached(self) -> Memory:
        """The same without a way back for gradients."""
        return Memory(self.values.detach(), self.keys.detach(), self.mask)


class State(NamedTuple):
    """What a row remembers: hidden (B, S, H), and the output before the last layer, which is fed in again."""

    hidden: Tensor
    fed: Tensor

    def chosen(self, rows: Tensor) -> State:
        """The states of rows (B, S') by number."""
        return State(*(part.gather(1, rows[..., None].expand(-1, -1, part.shape[2])) for part in self))


class Masks(NamedTuple):
    """Dropout of a whole sequence, factors of 0 or 1 / (1 - p): of the embedding (B, S, M) and the output (B, S, H).

    One mask for all steps of a row (Gal and Ghahramani, NeurIPS 2016). A sample can be scored again under the masks
    with which it was drawn: that is the same policy, where fresh dropout would be another.
    """

    embedding: Tensor
    output: Tensor

    def from_row(self, row: int) -> Masks:
        """Those of the rows from this one on."""
        return Masks(self.embedding[:, row:], self.output[:, row:])


class Decoder(nn.Module):
    """a = softmax(v · tanh(W h_n + U s)), Bahdanau et al., ICLR 2015, with the input feeding of Luong et al., EMNLP
    2015, section 3.3.
    """

    def __init__(self, config: DecoderConfig, n_symbols: int, n_encoded: int, dropout: float) -> None:
        super().__init__()
        self.config, self.dropout = config, dropout
        self.embedding = nn.Embedding(n_symbols, config.embedding)
        self.key = nn.Linear(n_encoded, config.attention)
        self.query = nn.Linear(config.hidden, config.attention, bias=False)
        self.energy = nn.Linear(config.attention, 1, bias=False)
        self.start = nn.Linear(n_encoded, config.hidden)
        self.cell = nn.GRUCell(config.embedding + n_encoded + config.hidden, config.hidden)
        self.joined = nn.Linear(config.hidden + n_encoded, config.hidden)
        self.out = nn.Linear(config.hidden, n_symbols)

    def remember(self, encoded: Tensor, mask: Tensor) -> Memory:
        """Encoded frames (B, N, E) with their mask (B, N), made ready for attention."""
        return Memory(encoded, self.key(encoded), mask)

    def begin(self, memory: Memory, rows: int) -> State:
        """The state before the first character: from the mean of the frames."""
        weights = memory.mask[..., None].to(memory.values.dtype)
        mean = (memory.values * weights).sum(dim=1) / weights.sum(dim=1)
        hidden = torch.tanh(self.start(mean))[:, None].expand(-1, rows, -1)
        return State(hidden, torch.zeros_like(hidden))

    def masks(self, n_clips: int, rows: int) -> Masks | None:
        """Fresh dropout for a sequence; none in evaluation."""
        if not self.training or not self.dropout:
            return None
        sizes = (self.config.embedding, self.config.hidden)
        keep = 1.0 - self.dropout
        device = self.out.weight.device
        return Masks(*(torch.rand(n_clips, rows, size, device=device).lt(keep) / keep for size in sizes))

    def step(self, symbols: Tensor, state: State, memory: Memory, masks: Masks | None = None) -> tuple[State, Tensor]:
        """One character on: the characters before (B, S) -> the new state, and the attention (B, S, N)."""
        embedded = self.embedding(symbols)
        if masks is not None:
            embedded = embedded * masks.embedding
        attention = self._attention(state.hidden, memory)
        context = attention @ memory.values
        told = torch.cat([embedded, context, state.fed], dim=-1)
        hidden = self.cell(told.flatten(0, 1), state.hidden.flatten(0, 1)).view_as(state.hidden)
        fed = torch.tanh(self.joined(torch.cat([hidden, context], dim=-1)))
        if masks is not None:
            fed = fed * masks.output
        return State(hidden, fed), attention

    def _attention(self, hidden: Tensor, memory: Memory) -> Tensor:
        compared = torch.tanh(memory.keys[:, None] + self.query(hidden)[:, :, None])
        energy = self.energy(compared).squeeze(-1).masked_fill(~memory.mask[:, None], float("-inf"))
        return energy.softmax(dim=-1)

    def logits(self, state: State) -> Tensor:
        """(B, S, n_symbols) of the next character."""
        found: Tensor = self.out(state.fed)
        return found

    def forward(self, before: Tensor, memory: Memory, masks: Masks | None = None) -> tuple[Tensor, Tensor]:
        """Teacher forcing: the characters before each (B, S, T), beginning first -> logits (B, S, T, n_symbols) and
        attention (B, S, T, N).
        """
        state = self.begin(memory, before.shape[1])
        fed, attention = [], []
        for symbols in before.unbind(dim=2):
            state, attended = self.step(symbols, state, memory, masks)
            fed.append(state.fed)
            attention.append(attended)
        return self.out(torch.stack(fed, dim=2)), torch.stack(attention, dim=2)
