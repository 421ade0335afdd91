"""From stored mels and the recordings behind them to batches of slices."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from recipes.tts.common.recordings import Recordings
from speechkd.runner import ItemStore
from speechkd.training.seeds import derive_seed


@dataclass
class SliceBatch:
    """B slices of F frames, and the samples they are of."""

    ids: list[str]
    mel: Tensor  # (B, F, n_mels), natural log
    samples: Tensor  # (B, F * hop)

    def to(self, device: torch.device | str) -> SliceBatch:
        """The same batch on another device."""
        return SliceBatch(self.ids, self.mel.to(device), self.samples.to(device))

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.samples.device


class SliceDataset:
    """Slices of recordings by clip id. A slice begins at a frame; clips shorter than a slice end in silence.

    predicted: mels of an acoustic model for the same frames, which take the place of the recorded ones in `share` of
    the training slices where they are there.
    """

    def __init__(
        self, mels: ItemStore, recordings: Recordings, predicted: ItemStore | None = None, share: float = 1.0
    ) -> None:
        self.mels, self.recordings, self.predicted, self.share = mels, recordings, predicted, share

    def random(self, ids: Sequence[str], n_frames: int, seed: int, epoch: int) -> SliceBatch:
        """A slice of each clip, which depends on seed, epoch and the clip's id alone."""
        return self._batch(ids, n_frames, lambda id_: self.place(id_, n_frames, seed, epoch))

    def place(self, id_: str, n_frames: int, seed: int, epoch: int) -> tuple[int, bool]:
        """Where the random slice of a clip begins, and whether its mel is the predicted one, if there is one."""
        draw = random.Random(derive_seed(seed, epoch=epoch, purpose=f"slice {id_}"))
        return draw.randint(0, max(0, self.length(id_) - n_frames)), draw.random() < self.share

    def middle(self, ids: Sequence[str], n_frames: int, predicted: bool = False) -> SliceBatch:
        """The middle of each clip, with the predicted mels if asked for."""
        return self._batch(ids, n_frames, lambda id_: (max(0, (self.length(id_) - n_frames) // 2), predicted))

    def length(self, id_: str) -> int:
        """Frames of a clip."""
        return self.recordings.n_frames[id_]

    def _batch(self, ids: Sequence[str], n_frames: int, place: Callable[[str], tuple[int, bool]]) -> SliceBatch:
        slices = [self._slice(id_, *place(id_), n_frames) for id_ in ids]
        mel, samples = (torch.stack(parts) for parts in zip(*slices, strict=True))
        return SliceBatch(list(ids), mel, samples)

    def _slice(self, id_: str, start: int, predicted: bool, n_frames: int) -> tuple[Tensor, Tensor]:
        """mel (n_frames, n_mels) and samples (n_frames * hop,)."""
        there = min(n_frames, self.length(id_) - start)
        missing, preset = n_frames - there, self.recordings.preset
        mel = torch.from_numpy(np.ascontiguousarray(self.mel(id_, predicted)[start : start + there]))
        samples = self.recordings.slice(id_, start, there)
        padded = F.pad(mel, (0, 0, 0, missing), value=math.log(preset.log_floor))
        return padded, F.pad(samples, (0, missing * preset.hop_samples))

    def mel(self, id_: str, predicted: bool = False) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The whole mel (frames, n_mels) of a clip: the predicted one if asked for and there."""
        if predicted and self.predicted is not None and id_ in self.predicted:
            return self.predicted.array(id_, "mel")
        return self.mels.array(id_, "mel")


def frames_of(mels: ItemStore, ids: Sequence[str]) -> Mapping[str, int]:
    """Frames per clip."""
    return {id_: int(mels.meta(id_)["n_frames"]) for id_ in ids}
