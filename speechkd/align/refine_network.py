"""A small convolutional network that says which phone is heard, and where one goes over into another; in numpy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_FOLDER = Path(__file__).with_name("weights")
WEIGHTS = _FOLDER / "refine.safetensors"
CARD = _FOLDER / "refine.json"

_NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class BoundaryNetwork:
    """The mean of one or more members, trained alike from other random weights.

    A member: input convolution, residual blocks (layer norm, dilated convolution, ReLU), output layer. `labels` are the
    phones without stress and "" for silence, in the order of the outputs. The weights of a member by name:
    input.weight (taps, N_MELS, H), block<i>.weight (taps, H, H), output.weight (H, labels + K), a bias for each,
    block<i>.norm_weight and .norm_bias (H,); left and right (labels, K), what a phone looks like at its two ends.
    """

    labels: tuple[str, ...]
    dilations: tuple[int, ...]
    members: tuple[Mapping[str, Floats], ...]

    def __call__(self, mel: Floats) -> tuple[Floats, Floats]:
        """Log-mel (T, N_MELS) -> log posteriors (T, labels), and what frames look like where a phone begins (T, K).

        The posteriors are the geometric mean of the members'; K is the sum of theirs.
        """
        outputs = [self._output(mel, member) for member in self.members]
        logits = sum(output[:, : len(self.labels)] for output in outputs) / np.float32(len(outputs))
        peak = logits.max(axis=1, keepdims=True)
        begins = np.concatenate([output[:, len(self.labels) :] for output in outputs], axis=1)
        return logits - peak - np.log(np.exp(logits - peak).sum(axis=1, keepdims=True)), begins

    def _output(self, mel: Floats, w: Mapping[str, Floats]) -> Floats:
        hidden = np.maximum(_convolve(mel, w["input.weight"], 1) + w["input.bias"], 0)
        for number, dilation in enumerate(self.dilations):
            name = f"block{number}"
            normed = _layer_norm(hidden) * w[f"{name}.norm_weight"] + w[f"{name}.norm_bias"]
            hidden = hidden + np.maximum(_convolve(normed, w[f"{name}.weight"], dilation) + w[f"{name}.bias"], 0)
        output: Floats = hidden @ w["output.weight"] + w["output.bias"]
        return output

    def transitions(self, begins: Floats, pairs: Sequence[tuple[int, int]]) -> Floats:
        """Evidence (pairs, T) that a label begins with a frame right after another, given `begins` (T, K)."""
        left, right = np.asarray(pairs).reshape(-1, 2).T
        ends = np.concatenate([member["left"][left] + member["right"][right] for member in self.members], axis=1)
        evidence: Floats = ends @ begins.T / np.float32(len(self.members))
        return evidence


def _convolve(x: Floats, weight: Floats, dilation: int) -> Floats:
    """Convolution over time with zeros beyond the ends: (T, in), (taps, in, out) -> (T, out)."""
    reach = dilation * (len(weight) // 2)
    padded = np.pad(x, ((reach, reach), (0, 0)))
    total = padded[: len(x)] @ weight[0]
    for tap in range(1, len(weight)):
        total += padded[tap * dilation : tap * dilation + len(x)] @ weight[tap]
    return total


def _layer_norm(x: Floats) -> Floats:
    centred = x - x.mean(axis=1, keepdims=True)
    normed: Floats = centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(_NORM_EPSILON))
    return normed


@lru_cache(maxsize=2)
def load_network(weights: Path = WEIGHTS, card: Path = CARD) -> BoundaryNetwork:
    """The network of this package, or one that `tools/calibrate_aligner.py train` wrote elsewhere."""
    from safetensors.numpy import load_file

    facts = json.loads(card.read_text(encoding="utf-8"))["network"]
    members: list[dict[str, Floats]] = []
    # Stored as "<number of the member>.<name>".
    for name, value in load_file(weights).items():
        number, _, part = name.partition(".")
        while len(members) <= int(number):
            members.append({})
        members[int(number)][part] = value.astype(np.float32)
    return BoundaryNetwork(tuple(facts["labels"]), tuple(facts["dilations"]), tuple(members))
