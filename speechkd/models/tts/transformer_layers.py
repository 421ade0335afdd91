"""The parts of an autoregressive decoder. Each works on a whole utterance or on its next step alone.

A step sees what went before it through a `BlockState`; without one, all steps are there and each is kept from seeing
later ones. Both ways give the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.common.config import FftConfig
from speechkd.models.tts.transformer_config import PostnetConfig, PrenetConfig


class PositionCode(nn.Module):
    """x + α · sinusoids (Li et al. 2019, section 3.3); position p of a sequence counts as p · rate."""

    frequencies: Tensor

    def __init__(self, channels: int, learned: bool, rate: float = 1.0) -> None:
        super().__init__()
        self.rate = rate
        self.scale = nn.Parameter(torch.ones(()), requires_grad=learned)
        step = torch.arange(0, channels, 2, dtype=torch.float32)
        self.register_buffer("frequencies", torch.exp(step * (-math.log(10000.0) / channels)), persistent=False)

    def forward(self, x: Tensor, start: int = 0, clock: Tensor | None = None) -> Tensor:
        """x: (B, S, C), whose first position is `start` -> (B, S, C).

        clock: (B, 2), the code's position at 0 and its positions per position; 0 and 1 unless given.
        """
        index = torch.arange(start, start + x.shape[1], device=x.device, dtype=torch.float32)[None]
        if clock is not None:
            index = clock[:, :1] + clock[:, 1:] * index
        angle = (index * self.rate).unsqueeze(-1) * self.frequencies
        code = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(2)[:, :, : x.shape[2]]
        return x + self.scale * code


class Prenet(nn.Module):
    """Fully connected layers with ReLU and dropout, then a linear layer to the decoder's size."""

    def __init__(self, n_mels: int, channels: int, config: PrenetConfig) -> None:
        super().__init__()
        self.config = config
        sizes = [n_mels] + [config.channels] * config.layers
        self.layers = nn.ModuleList(nn.Linear(size, config.channels) for size in sizes[:-1])
        self.project = nn.Linear(config.channels, channels)

    def gates(self, n_steps: int, seed: int, reference: Tensor) -> Tensor | None:
        """What dropout multiplies with in evaluation: (n_steps, layers, channels), or None where nothing is dropped.

        The draw depends on the seed and the step alone, and is numpy's: torch's differ between devices.
        """
        config = self.config
        if self.training or not config.dropout or not config.dropout_at_inference:
            return None
        draw = np.random.default_rng(seed).random((n_steps, config.layers, config.channels), dtype=np.float32)
        gates = torch.from_numpy(draw >= config.dropout).to(reference)
        return gates / (1.0 - config.dropout)

    def forward(self, frames: Tensor, gates: Tensor | None) -> Tensor:
        """frames: (B, S, n_mels), gates: those of these steps -> (B, S, C)."""
        x = frames
        for number, layer in enumerate(self.layers):
            x = F.relu(layer(x))
            x = F.dropout(x, self.config.dropout, self.training) if gates is None else x * gates[:, number]
        return self.project(x)


@dataclass
class BlockState:
    """What one block remembers of the steps before: keys and values, and the last inputs of its convolutions."""

    keys: Tensor  # (1, H, most steps, c)
    values: Tensor
    steps: int = 0
    inputs: dict[str, Tensor] = field(default_factory=dict)  # (1, C, kernel - 1) by convolution

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add the next steps' keys and values (1, H, n, c); returns those of all steps."""
        end = self.steps + keys.shape[2]
        self.keys[:, :, self.steps : end], self.values[:, :, self.steps : end] = keys, values
        self.steps = end
        return self.keys[:, :, :end], self.values[:, :, :end]


def _heads(x: Tensor, heads: int) -> Tensor:
    batch, time, channels = x.shape
    return x.view(batch, time, heads, channels // heads).transpose(1, 2)


def _joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


class CausalSelfAttention(nn.Module):
    """Multi-head self-attention in which no step sees a later one. Padding stands last, so no valid step sees it."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project_in = nn.Linear(channels, 3 * channels)
        self.project_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, state: BlockState | None) -> Tensor:
        """x: (B, S, C), or (1, 1, C), the step after those of `state` -> the same shape."""
        query, key, value = (_heads(part, self.heads) for part in self.project_in(x).chunk(3, dim=-1))
        if state is not None:
            key, value = state.extend(key, value)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=state is None)
        return self.project_out(_joined(attended))


@dataclass
class Memory:
    """The text as one block's attention reads it: keys and values (B, H, T, c), and where real tokens are (B, T)."""

    keys: Tensor
    values: Tensor
    mask: Tensor


class TextAttention(nn.Module):
    """Multi-head attention from frames to tokens, with its weights."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project_query = nn.Linear(channels, channels)
        self.project_text = nn.Linear(channels, 2 * channels)
        self.project_out = nn.Linear(channels, channels)

    def read(self, text: Tensor, mask: Tensor) -> Memory:
        """text: (B, T, C), mask: (B, T) -> what every step attends to."""
        keys, values = (_heads(part, self.heads) for part in self.project_text(text).chunk(2, dim=-1))
        return Memory(keys, values, mask)

    def forward(self, x: Tensor, memory: Memory, allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x: (B, S, C) -> (B, S, C) and weights (B, H, S, T), which sum to 1 over real tokens and are 0 elsewhere.

        allowed: (S, T), the tokens that each step may look at, all unless given.
        """
        query = _heads(self.project_query(x), self.heads)
        scores = (query @ memory.keys.transpose(-1, -2)).float() / math.sqrt(query.shape[-1])
        seen = memory.mask[:, None, None, :] if allowed is None else memory.mask[:, None, None, :] & allowed
        weights = scores.masked_fill(~seen, -torch.inf).softmax(dim=-1)
        return self.project_out(_joined(weights.to(memory.values.dtype) @ memory.values)), weights


class CausalConv(nn.Conv1d):
    """A convolution over this step and the ones before it."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__(channels_in, channels_out, kernel)

    def causal(self, x: Tensor, name: str, state: BlockState | None) -> Tensor:
        """x: (B, C, S) -> (B, C', S). `name` tells the convolutions of a state apart."""
        before = self.kernel_size[0] - 1
        if state is None:
            return self(F.pad(x, (before, 0)))
        x = torch.cat([state.inputs[name], x], dim=2) if name in state.inputs else F.pad(x, (before, 0))
        state.inputs[name] = x[:, :, x.shape[2] - before :]
        return self(x)


class CausalFeedForward(nn.Module):
    """Two causal convolutions with a ReLU between them."""

    def __init__(self, channels: int, config: FftConfig) -> None:
        super().__init__()
        self.expand = CausalConv(channels, config.conv_channels, config.conv_kernel)
        self.contract = CausalConv(config.conv_channels, channels, config.second_kernel)
        self.dropout = nn.Dropout(config.inner_dropout)

    def forward(self, x: Tensor, state: BlockState | None) -> Tensor:
        """x: (B, S, C) -> (B, S, C)."""
        inner = self.dropout(F.relu(self.expand.causal(x.transpose(1, 2), "expand", state)))
        return self.contract.causal(inner, "contract", state).transpose(1, 2)


class DecoderBlock(nn.Module):
    """Self-attention, attention to the text, convolutions; each with a residual and a layer norm after it."""

    def __init__(self, channels: int, config: FftConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.self_attention = CausalSelfAttention(channels, config.heads)
        self.text_attention = TextAttention(channels, config.heads)
        self.feed_forward = CausalFeedForward(channels, config)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, memory: Memory, state: BlockState | None, allowed: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """x: (B, S, C) -> (B, S, C) and the weights of the attention to the text (B, H, S, T)."""
        x = self.norms[0](x + self.dropout(self.self_attention(x, state)))
        read, weights = self.text_attention(x, memory, allowed)
        x = self.norms[1](x + self.dropout(read))
        return self.norms[2](x + self.dropout(self.feed_forward(x, state))), weights


class Decoder(nn.Module):
    """Frames so far, and the text, to the state that the next frame is made from."""

    def __init__(self, n_mels: int, channels: int, config: FftConfig, prenet: PrenetConfig, learned: bool) -> None:
        super().__init__()
        self.prenet = Prenet(n_mels, channels, prenet)
        self.position = PositionCode(channels, learned)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(DecoderBlock(channels, config) for _ in range(config.layers))

    def read(self, text: Tensor, mask: Tensor) -> list[Memory]:
        """The text (B, T, C), mask (B, T), as each block will attend to it."""
        return [block.text_attention.read(text, mask) for block in self.blocks]  # type: ignore[operator, union-attr]

    def states(self, n_steps: int, memories: Sequence[Memory]) -> list[BlockState]:
        """Empty states with room for so many steps of one utterance."""
        one, heads, _, size = memories[0].keys.shape
        return [BlockState(*memories[0].keys.new_empty(2, one, heads, n_steps, size)) for _ in self.blocks]

    def forward(
        self,
        frames: Tensor,
        memories: Sequence[Memory],
        gates: Tensor | None,
        states: Sequence[BlockState] | None = None,
        allowed: Sequence[Tensor | None] | None = None,
        clock: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """frames: (B, S, n_mels), the one before each step -> (B, S, C) and attention (B, L, H, S, T).

        With states: S is 1, the step after theirs. gates: the prenet's, for these steps. allowed: the tokens that each
        step of each layer may look at, (S, T). clock: see `PositionCode`.
        """
        start = states[0].steps if states is not None else 0
        x = self.dropout(self.position(self.prenet(frames, gates), start, clock))
        attention = []
        for number, block in enumerate(self.blocks):
            state = None if states is None else states[number]
            x, weights = block(x, memories[number], state, None if allowed is None else allowed[number])
            attention.append(weights)
        return x, torch.stack(attention, dim=1)


class Postnet(nn.Module):
    """Convolutions with tanh and dropout between them; padding is zeroed before each, so that nothing leaks from it."""

    def __init__(self, n_mels: int, config: PostnetConfig) -> None:
        super().__init__()
        sizes = [n_mels] + [config.channels] * (config.layers - 1) + [n_mels]
        self.convs = nn.ModuleList(
            nn.Conv1d(sizes[i], sizes[i + 1], config.kernel, padding=config.kernel // 2) for i in range(config.layers)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, mel: Tensor, mask: Tensor) -> Tensor:
        """The correction of a mel (B, F, n_mels), mask (B, F) -> (B, F, n_mels)."""
        x, invalid = mel.transpose(1, 2), ~mask.unsqueeze(1)
        for number, conv in enumerate(self.convs):
            x = self.dropout(torch.tanh(x)) if number else x
            x = conv(x.masked_fill(invalid, 0.0))
        return x.transpose(1, 2)
