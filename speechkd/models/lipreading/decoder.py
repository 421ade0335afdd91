"""States of frames to characters: a GRU with additive attention (Bahdanau et al., ICLR 2015, arXiv 1409.0473).

One step, with h_n the state of frame n, s the decoder's state, y a character, e its embedding and o what it was
written from, which the next step reads too (input feeding: Luong et al., EMNLP 2015, section 3.3):

    a_t = softmax_n(v . tanh(W h_n + U s_{t-1})),  c_t = sum_n a_tn h_n
    s_t = GRU([e(y_{t-1}); c_t; o_{t-1}], s_{t-1}),  o_t = tanh(W_o [s_t; c_t]),  p(y_t) = softmax(W_y o_t)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.common.masks import masked_mean
from speechkd.models.lipreading.characters import BOS, PAD
from speechkd.models.lipreading.config import DecoderConfig

#: The logit of what is never written. Finite, so that a weight of zero makes it zero; its probability is exactly 0.
NEVER = -1e4


@dataclass(frozen=True)
class Memory:
    """What the decoder looks at: N encoded clips of T frames."""

    states: Tensor  # (N, T, C)
    keys: Tensor  # (N, T, A): W h_n
    mask: Tensor  # (N, T) true at real frames

    def __len__(self) -> int:
        return len(self.states)

    def repeat(self, times: int) -> Memory:
        """Every clip this many times, its copies behind each other."""
        if times == 1:
            return self
        return Memory(*(part.repeat_interleave(times, dim=0) for part in (self.states, self.keys, self.mask)))


@dataclass(frozen=True)
class State:
    """Where N texts stand between two characters."""

    hidden: Tensor  # (N, H): s
    readout: Tensor  # (N, H): o

    def select(self, rows: Tensor) -> State:
        """The texts with these numbers (M,)."""
        return State(self.hidden[rows], self.readout[rows])


class Attention(nn.Module):
    """Which frames the next character is in."""

    def __init__(self, encoded: int, hidden: int, size: int) -> None:
        super().__init__()
        self.key = nn.Linear(encoded, size)
        self.query = nn.Linear(hidden, size, bias=False)
        self.score = nn.Linear(size, 1, bias=False)

    def forward(self, memory: Memory, hidden: Tensor) -> Tensor:
        """State (N, H) -> weights (N, T), exactly zero at padded frames."""
        compared = torch.tanh(memory.keys + self.query(hidden)[:, None])
        scores = self.score(compared).squeeze(-1).masked_fill(~memory.mask, -torch.inf)
        return scores.softmax(dim=-1)


class Decoder(nn.Module):
    """Writes one character after the other."""

    def __init__(self, encoded: int, n_symbols: int, config: DecoderConfig) -> None:
        super().__init__()
        hidden = config.hidden
        self.dropout = config.dropout
        self.embedding = nn.Embedding(n_symbols, config.embedding)
        self.attention = Attention(encoded, hidden, config.attention)
        self.start = nn.Linear(encoded, hidden)
        self.gru = nn.GRUCell(config.embedding + encoded + hidden, hidden)
        self.readout = nn.Linear(hidden + encoded, hidden)
        self.write = nn.Linear(hidden, n_symbols)

    def remember(self, states: Tensor, mask: Tensor) -> Memory:
        """States (N, T, C), mask (N, T) -> what `step` looks at."""
        return Memory(states, self.attention.key(states), mask)

    def begin(self, memory: Memory) -> State:
        """The state before the first character."""
        hidden = torch.tanh(self.start(masked_mean(memory.states, memory.mask)))
        return State(hidden, torch.zeros_like(hidden))

    def step(self, memory: Memory, state: State, embedded: Tensor) -> tuple[State, Tensor]:
        """One character on: the embedded character before (N, E) -> the new state, attention (N, T)."""
        weights = self.attention(memory, state.hidden)
        context = torch.einsum("nt,ntc->nc", weights, memory.states)
        hidden = self.gru(torch.cat([embedded, context, state.readout], dim=-1), state.hidden)
        return State(hidden, torch.tanh(self.readout(torch.cat([hidden, context], dim=-1)))), weights

    def embed(self, characters: Tensor, dropout: bool) -> Tensor:
        """Characters (...) int64 -> (..., E)."""
        return F.dropout(self.embedding(characters), self.dropout, dropout)

    def log_probs(self, readout: Tensor, dropout: bool) -> Tensor:
        """What was written from (..., H) -> log-probabilities (..., n_symbols); never `PAD`, never `BOS`."""
        logits = self.write(F.dropout(readout, self.dropout, dropout)).float()
        never = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
        never[[PAD, BOS]] = True
        return torch.log_softmax(logits.masked_fill(never, NEVER), dim=-1)

    def forward(self, memory: Memory, characters: Tensor, dropout: bool) -> tuple[Tensor, Tensor]:
        """Teacher forcing: characters (N, U) with `EOS` -> log-probabilities (N, U, n_symbols), attention (N, U, T)."""
        state, readouts, weights = self.begin(memory), [], []
        for embedded in self.embed(F.pad(characters[:, :-1], (1, 0), value=BOS), dropout).unbind(dim=1):
            state, looked = self.step(memory, state, embedded)
            readouts.append(state.readout)
            weights.append(looked)
        return self.log_probs(torch.stack(readouts, dim=1), dropout), torch.stack(weights, dim=1)
