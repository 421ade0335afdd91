"""Letters to phones with an aligned tagger: every letter is given its phones (none, one or two) as one tag.

Encoder: Transformer blocks (Vaswani et al., NeurIPS 2017) with layer norm before each part, a learned attention bias
per distance instead of positions (Shaw et al., NAACL 2018, in the scalar form of Raffel et al., JMLR 2020), and a
convolution over three letters as the first feed-forward layer. Decoder: one GRU (Cho et al., EMNLP 2014) that reads
the encoded letter and the tag of the letter before; aligned letters make it a tagger (Yao and Zweig, Interspeech 2015,
section 3.2). `speechkd.text.g2p` computes the same without torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.g2p.config import G2pNetworkConfig
from speechkd.text.g2p_weights import LETTERS


def shifted(x: Tensor) -> Tensor:
    """Every place beside its neighbours: (B, T, C) -> (B, T, 3 C), zeros outside."""
    padded = F.pad(x, (0, 0, 1, 1))
    return torch.cat([padded[:, :-2], x, padded[:, 2:]], dim=-1)


class Block(nn.Module):
    """Attention over the word, then a convolution over three letters; both are added to what they read."""

    def __init__(self, config: G2pNetworkConfig) -> None:
        super().__init__()
        self.heads, self.reach = config.heads, config.reach
        self.attention_norm = nn.LayerNorm(config.hidden)
        self.query_key_value = nn.Linear(config.hidden, 3 * config.hidden)
        self.distance = nn.Parameter(torch.zeros(config.heads, 2 * config.reach + 1))
        self.attention_out = nn.Linear(config.hidden, config.hidden)
        self.inner_norm = nn.LayerNorm(config.hidden)
        self.inner_in = nn.Linear(3 * config.hidden, config.inner)
        self.inner_out = nn.Linear(config.inner, config.hidden)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, T, C), mask (B, T) true where a letter is -> (B, T, C)."""
        x = x + self.dropout(self._attended(self.attention_norm(x), mask))
        h = self.inner_norm(x) * mask[:, :, None]
        return x + self.dropout(self.inner_out(self.dropout(torch.relu(self.inner_in(shifted(h))))))

    def _attended(self, h: Tensor, mask: Tensor) -> Tensor:
        batch, time, hidden = h.shape
        query, key, value = self.query_key_value(h).view(batch, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        places = torch.arange(time, device=h.device)
        distance = (places[None, :] - places[:, None]).clamp(-self.reach, self.reach) + self.reach
        bias = self.distance[:, distance][None].masked_fill(~mask[:, None, None, :], -1e9)
        scores = query @ key.transpose(-1, -2) / math.sqrt(hidden // self.heads) + bias
        attended = scores.softmax(dim=-1).to(value.dtype) @ value
        return self.attention_out(attended.transpose(1, 2).reshape(batch, time, hidden))


class G2pNetwork(nn.Module):
    """Words to the logits of their letters' tags."""

    def __init__(self, config: G2pNetworkConfig, tags: Sequence[str]) -> None:
        super().__init__()
        self.config = config
        self.tag_names = tuple(tags)
        n_tags = len(self.tag_names)
        # 0 is padding, 1 the word's boundary. Tag number n_tags is "not known": before the word, and what is hidden.
        self.letters = nn.Embedding(len(LETTERS) + 2, config.hidden, padding_idx=0)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.hidden)
        self.tags = nn.Embedding(n_tags + 1, config.previous)
        self.gate_in = nn.Linear(config.hidden + config.previous, 3 * config.decoder)
        self.gate_state = nn.Linear(config.decoder, 3 * config.decoder)
        self.out = nn.Linear(config.decoder + config.hidden, n_tags)
        self.unknown_tag = n_tags

    def encode(self, letters: Tensor) -> Tensor:
        """Letters (B, T + 2) with a boundary at each end, padded with 0 -> (B, T, C): the boundaries are left out."""
        mask = letters != 0
        x = self.letters(letters)
        for block in self.blocks:
            x = block(x, mask)
        encoded: Tensor = self.norm(x)[:, 1:-1]
        return encoded

    def forward(self, letters: Tensor, tags: Tensor) -> Tensor:
        """Teacher forcing: letters (B, T + 2), true tags (B, T) -> logits (B, T, n_tags)."""
        encoded = self.encode(letters)
        previous = F.pad(tags[:, :-1], (1, 0), value=self.unknown_tag)
        if self.training and self.config.forget:
            hidden = torch.rand(previous.shape, device=tags.device) < self.config.forget
            previous = previous.masked_fill(hidden, self.unknown_tag)
        gates = self.gate_in(torch.cat([encoded, self.tags(previous).to(encoded.dtype)], dim=-1))
        state = gates.new_zeros(len(letters), self.config.decoder)
        states = []
        for gate in gates.unbind(dim=1):
            state = self.step(gate, state)
            states.append(state)
        joined = torch.cat([torch.stack(states, dim=1), encoded], dim=-1)
        logits: Tensor = self.out(F.dropout(joined, self.config.dropout, self.training))
        return logits

    def greedy(self, letters: Tensor) -> Tensor:
        """The most probable tag of each letter, given those before: letters (B, T + 2) -> numbers (B, T)."""
        encoded = self.encode(letters)
        state = encoded.new_zeros(len(letters), self.config.decoder)
        previous = torch.full((len(letters),), self.unknown_tag, device=letters.device)
        numbers = []
        for place in encoded.unbind(dim=1):
            state = self.step(self.gate_in(torch.cat([place, self.tags(previous)], dim=-1)), state)
            previous = self.out(torch.cat([state, place], dim=-1)).argmax(dim=-1)
            numbers.append(previous)
        return torch.stack(numbers, dim=1)

    def step(self, gate: Tensor, state: Tensor) -> Tensor:
        """One step of the GRU: its input's part of the gates (B, 3 H), state (B, H) -> state (B, H)."""
        own = self.gate_state(state)
        size = self.config.decoder
        reset, update = torch.sigmoid(gate[:, : 2 * size] + own[:, : 2 * size]).chunk(2, dim=-1)
        candidate = torch.tanh(gate[:, 2 * size :] + reset * own[:, 2 * size :])
        return candidate + update * (state - candidate)
