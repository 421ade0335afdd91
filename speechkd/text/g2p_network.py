"""The spelling-to-sound network in numpy: what `speechkd.models.g2p.network` computes, without torch.

Arrays carry the names of that module's parameters, and are (out, in) as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_EPSILON = np.float32(1e-5)
_NEVER = np.float32(-1e9)


@dataclass(frozen=True)
class G2pArrays:
    """The parameters by name, float32, and the two sizes that their shapes do not tell."""

    values: Mapping[str, np.ndarray]
    layers: int
    heads: int

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[name]

    def linear(self, name: str, x: np.ndarray) -> np.ndarray:
        """x (…, in) -> (…, out)."""
        projected: np.ndarray = x @ self.values[f"{name}.weight"].T + self.values[f"{name}.bias"]
        return projected

    def norm(self, name: str, x: np.ndarray) -> np.ndarray:
        """Layer norm over the last axis (Ba et al., 2016)."""
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        scaled: np.ndarray = centred / np.sqrt(variance + _EPSILON)
        return scaled * self.values[f"{name}.weight"] + self.values[f"{name}.bias"]


def encode(arrays: G2pArrays, letters: np.ndarray) -> np.ndarray:
    """Letters (B, T + 2) with a boundary at each end, padded with 0 -> (B, T, C)."""
    mask = letters != 0
    x = arrays["letters.weight"][letters]
    for layer in range(arrays.layers):
        name = f"blocks.{layer}"
        x = x + _attended(arrays, name, arrays.norm(f"{name}.attention_norm", x), mask)
        h = arrays.norm(f"{name}.inner_norm", x) * mask[:, :, None]
        inner = np.maximum(arrays.linear(f"{name}.inner_in", _shifted(h)), np.float32(0))
        x = x + arrays.linear(f"{name}.inner_out", inner)
    return arrays.norm("norm", x)[:, 1:-1]


def _shifted(x: np.ndarray) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    return np.concatenate([padded[:, :-2], x, padded[:, 2:]], axis=-1)


def _attended(arrays: G2pArrays, name: str, h: np.ndarray, mask: np.ndarray) -> np.ndarray:
    batch, time, hidden = h.shape
    size = hidden // arrays.heads
    joined = arrays.linear(f"{name}.query_key_value", h).reshape(batch, time, 3, arrays.heads, size)
    query, key, value = joined.transpose(2, 0, 3, 1, 4)
    scores = query @ key.swapaxes(-1, -2) / np.float32(np.sqrt(size))
    scores = scores + _distance_bias(arrays[f"{name}.distance"], time)
    scores = np.where(mask[:, None, None, :], scores, _NEVER)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    attended = (weights @ value).transpose(0, 2, 1, 3).reshape(batch, time, hidden)
    return arrays.linear(f"{name}.attention_out", attended)


def _distance_bias(bias: np.ndarray, time: int) -> np.ndarray:
    """bias (heads, 2 reach + 1) by distance -> (heads, time, time)."""
    reach = bias.shape[1] // 2
    places = np.arange(time)
    return bias[:, np.clip(places[None, :] - places[:, None], -reach, reach) + reach]


def greedy(arrays: G2pArrays, encoded: np.ndarray) -> np.ndarray:
    """The most probable tag of each letter, given those before: (B, T, C) -> numbers (B, T)."""
    batch, time, hidden = encoded.shape
    # The letters' parts of the gates and of the logits for all places at once: only the rest must wait for its turn.
    gates = encoded @ arrays["gate_in.weight"][:, :hidden].T + arrays["gate_in.bias"]
    tag_gates = arrays["tags.weight"] @ arrays["gate_in.weight"][:, hidden:].T
    size = arrays["gate_state.weight"].shape[1]
    logits = encoded @ arrays["out.weight"][:, size:].T + arrays["out.bias"]
    state_out = arrays["out.weight"][:, :size].T
    state = np.zeros((batch, size), np.float32)
    numbers = np.zeros((batch, time), np.int64)
    previous = np.full(batch, len(tag_gates) - 1)
    for place in range(time):
        state = step(arrays, gates[:, place] + tag_gates[previous], state)
        previous = (logits[:, place] + state @ state_out).argmax(axis=-1)
        numbers[:, place] = previous
    return numbers


def step(arrays: G2pArrays, gate: np.ndarray, state: np.ndarray) -> np.ndarray:
    """One step of the GRU: its input's part of the gates (B, 3 H), state (B, H) -> state (B, H)."""
    own = arrays.linear("gate_state", state)
    size = state.shape[1]
    # The logistic function by tanh, which does not overflow.
    both = np.float32(0.5) * (np.tanh(np.float32(0.5) * (gate[:, : 2 * size] + own[:, : 2 * size])) + np.float32(1))
    reset, update = both[:, :size], both[:, size:]
    candidate = np.tanh(gate[:, 2 * size :] + reset * own[:, 2 * size :])
    advanced: np.ndarray = candidate + update * (state - candidate)
    return advanced
