"""Clips as padded batches."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from recipes.lipreading.pcpg.config import AugmentSection
from speechkd.errors import DataError
from speechkd.models.lipreading.config import CropConfig
from speechkd.models.lipreading.symbols import EOS, Characters
from speechkd.runner import ItemStore

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Batch:
    """frames (B, T, H, W) uint8 with lengths (B,); text (B, U) with its end, padded with 0, and text_lengths (B,)
    without the end.
    """

    frames: Tensor
    lengths: Tensor
    text: Tensor
    text_lengths: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(*(getattr(self, each.name).to(device) for each in fields(self)))


class ClipDataset:
    """The crops of clips with their texts, in memory once read: a clip of 75 frames of 50 x 100 is 0.4 MB."""

    def __init__(self, store: ItemStore, ids: Sequence[str], characters: Characters, crop: CropConfig) -> None:
        self.store, self.crop = store, crop
        self.texts = {id_: str(store.meta(id_)["text"]) for id_ in ids}
        self.numbers = {id_: torch.tensor([*characters.encode(text), EOS]) for id_, text in self.texts.items()}
        self.lengths = {id_: int(store.meta(id_)["n_frames"]) for id_ in ids}
        self._read: dict[str, Frames] = {}

    def frames(self, id_: str) -> Frames:
        """The crops (T, H, W) of a clip. DataError if they have another size than the model's."""
        if id_ not in self._read:
            frames = self.store.array(id_, "frames")
            if frames.shape[1:] != (self.crop.height, self.crop.width):
                raise DataError(
                    f"the crops of {id_} have another size than the model reads",
                    why=f"{frames.shape[1]} x {frames.shape[2]}, not {self.crop.height} x {self.crop.width}",
                    todo="Let model.crop and the size in section video be the same",
                )
            self._read[id_] = frames
        return self._read[id_]

    def batch(self, ids: Sequence[str], changed: Mapping[str, Frames] | None = None) -> Batch:
        """The padded batch of these clips; `changed` frames stand in for those of the store."""
        clips = [torch.from_numpy(np.array((changed or {}).get(id_, self.frames(id_)))) for id_ in ids]
        texts = [self.numbers[id_] for id_ in ids]
        return Batch(
            pad_sequence(clips, batch_first=True),
            torch.tensor([len(clip) for clip in clips]),
            pad_sequence(texts, batch_first=True),
            torch.tensor([len(text) - 1 for text in texts]),
        )


def augmented(frames: Frames, how: AugmentSection, level: int, draw: random.Random) -> Frames:
    """A clip mirrored, moved and with hidden stretches of time, by chance. `level`: the grey of what is hidden."""
    changed = frames[:, :, ::-1] if draw.random() < how.flip else frames
    changed = _moved(changed, *(draw.randint(-how.shift_pixels, how.shift_pixels) for _ in range(2)))
    for _ in range(how.masks if how.mask_frames else 0):
        length = draw.randint(0, min(how.mask_frames, len(changed)))
        start = draw.randint(0, len(changed) - length)
        changed[start : start + length] = level
    return changed


def _moved(frames: Frames, down: int, across: int) -> Frames:
    """A new array; pixels at the edge are repeated into the gap."""
    rows, columns = (np.arange(size) for size in frames.shape[1:])
    rows = np.clip(rows - down, 0, len(rows) - 1)
    columns = np.clip(columns - across, 0, len(columns) - 1)
    return frames[:, rows][:, :, columns]
