"""The file of the spelling-to-sound network: safetensors with 8-bit matrices, and a JSON card of the same name.

A matrix `x` is stored as integers of -127 … 127 with one factor per row in `x/scale`; vectors are stored as float16.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from speechkd.config import Config
from speechkd.errors import ArtifactError
from speechkd.text.g2p_network import G2pArrays
from speechkd.text.symbols import is_phone

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
SILENT = "-"
_SCALE = "/scale"
_BLOCK = {
    "attention_norm.weight": ("C",), "attention_norm.bias": ("C",),
    "query_key_value.weight": ("3C", "C"), "query_key_value.bias": ("3C",),
    "distance": ("heads", "distances"),
    "attention_out.weight": ("C", "C"), "attention_out.bias": ("C",),
    "inner_norm.weight": ("C",), "inner_norm.bias": ("C",),
    "inner_in.weight": ("inner", "3C"), "inner_in.bias": ("inner",),
    "inner_out.weight": ("C", "inner"), "inner_out.bias": ("C",),
}  # fmt: skip
_AROUND = {
    "letters.weight": ("letters", "C"), "norm.weight": ("C",), "norm.bias": ("C",), "tags.weight": ("tags + 1", "P"),
    "gate_in.weight": ("3H", "C + P"), "gate_in.bias": ("3H",),
    "gate_state.weight": ("3H", "H"), "gate_state.bias": ("3H",),
    "out.weight": ("tags", "H + C"), "out.bias": ("tags",),
}  # fmt: skip


class G2pCard(Config):
    """What the weights are: the tags by number, the sizes, where they come from and under which licence."""

    format: int = 1
    language: str = "en-us"
    letters: str = LETTERS
    tags: tuple[str, ...]
    layers: int
    heads: int
    hidden: int
    inner: int
    reach: int
    previous: int
    decoder: int
    sha256: str = ""
    recipe: str = ""
    data: str = ""
    licence: str = ""


def write_weights(path: Path, values: Mapping[str, np.ndarray], card: G2pCard) -> None:
    """Write the weights, and the card beside them with their digest."""
    arrays: dict[str, np.ndarray] = {}
    for name, value in sorted(values.items()):
        if value.ndim == 2:
            arrays[name], arrays[name + _SCALE] = quantised(value)
        else:
            arrays[name] = value.astype(np.float16)
    data = save(arrays)
    digest = hashlib.sha256(data).hexdigest()
    described = card.model_copy(update={"sha256": digest}).model_dump(mode="json")
    path.write_bytes(data)
    text = json.dumps(described, indent=1, sort_keys=True) + "\n"
    path.with_suffix(".json").write_text(text, encoding="utf-8")


def quantised(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A matrix as int8 (rows, columns) and the float32 factor of each row (rows, 1)."""
    scale = np.abs(matrix).max(axis=1, keepdims=True).astype(np.float32) / 127
    scale[scale == 0] = 1.0
    return np.rint(matrix / scale).astype(np.int8), scale


def read_weights(path: Path) -> tuple[G2pArrays, G2pCard]:
    """Read and check what `write_weights` wrote. ArtifactError names the file that is missing or was changed."""
    card = _read_card(path.with_suffix(".json"))
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != card.sha256:
            raise _damaged(path, "its digest is not the recorded one")
        stored = load(data)
    except (OSError, SafetensorError) as error:
        raise _damaged(path, str(error)) from error
    values = {name: _full(name, stored) for name in stored if not name.endswith(_SCALE)}
    wanted = _shapes(card)
    if {name: value.shape for name, value in values.items()} != wanted:
        raise _damaged(path, "its arrays are not those that the card describes")
    return G2pArrays(values, card.layers, card.heads), card


def _read_card(path: Path) -> G2pCard:
    try:
        card = G2pCard.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise _damaged(path, " ".join(str(error).split())) from error
    phones = [phone for tag in card.tags if tag != SILENT for phone in tag.split("+")]
    if card.format != 1 or card.letters != LETTERS or not phones or not all(map(is_phone, phones)):
        raise _damaged(path, "it is the card of another format")
    return card


def _damaged(path: Path, why: str) -> ArtifactError:
    todo = "Install speechkd again, or train the weights with egs/cmudict/g2p1/run.sh"
    return ArtifactError("the spelling-to-sound weights cannot be read", where=str(path), why=why, todo=todo)


def _full(name: str, stored: Mapping[str, Any]) -> np.ndarray:
    value = stored[name].astype(np.float32)
    if name + _SCALE in stored:
        value = value * stored[name + _SCALE]
    return np.ascontiguousarray(value)


def _shapes(card: G2pCard) -> dict[str, tuple[int, ...]]:
    sizes = {
        "C": card.hidden, "3C": 3 * card.hidden, "heads": card.heads, "distances": 2 * card.reach + 1,
        "inner": card.inner, "letters": len(LETTERS) + 2, "tags": len(card.tags), "tags + 1": len(card.tags) + 1,
        "P": card.previous, "C + P": card.hidden + card.previous, "H": card.decoder, "3H": 3 * card.decoder,
        "H + C": card.decoder + card.hidden,
    }  # fmt: skip
    named = dict(_AROUND)
    for layer in range(card.layers):
        named |= {f"blocks.{layer}.{name}": shape for name, shape in _BLOCK.items()}
    return {name: tuple(sizes[axis] for axis in shape) for name, shape in named.items()}
