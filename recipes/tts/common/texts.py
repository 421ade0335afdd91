"""Tokens of utterances as padded batches; what they should sound like comes from the teacher."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from speechkd.models.common.masks import length_mask
from speechkd.runner import ItemStore
from speechkd.text import SymbolTable


@dataclass
class TextBatch:
    """B texts padded to the longest, T tokens."""

    ids: list[str]
    tokens: Tensor  # (B, T) int64
    token_lengths: Tensor  # (B,)
    speakers: Tensor  # (B,) places in the model's `speakers`

    @property
    def device(self) -> torch.device:
        """Where the batch is."""
        return self.tokens.device

    @property
    def mask(self) -> Tensor:
        """True at real tokens: (B, T)."""
        return length_mask(self.token_lengths, self.tokens.shape[1])

    def to(self, device: torch.device | str) -> TextBatch:
        """The same batch on another device."""
        return TextBatch(self.ids, *(each.to(device) for each in (self.tokens, self.token_lengths, self.speakers)))


class Texts:
    """Reads the artifact `spoken`. speakers: the number of each utterance's speaker."""

    def __init__(self, spoken: Path, speakers: Mapping[str, int]) -> None:
        self.tokens = ItemStore(spoken)
        self.symbols = read_symbols(spoken)
        self.speakers = speakers

    def batch(self, ids: Sequence[str]) -> TextBatch:
        """The padded batch of these utterances."""
        rows = [self.symbols.encode(self.tokens.meta(id_)["symbols"]) for id_ in ids]
        return text_batch(ids, rows, [self.speakers[id_] for id_ in ids])


def text_batch(ids: Sequence[str], numbers: Sequence[Sequence[int]], speakers: Sequence[int]) -> TextBatch:
    """A batch of texts that are numbers of symbols already."""
    rows = [torch.tensor(each) for each in numbers]
    return TextBatch(
        list(ids),
        torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
        torch.tensor([len(row) for row in rows]),
        torch.tensor(speakers),
    )


def read_symbols(spoken: Path) -> SymbolTable:
    """The symbols of an artifact `spoken`."""
    return SymbolTable.from_json(json.loads((spoken / "symbols.json").read_text(encoding="utf-8")))
