"""Slices with questions to a teacher: about the recorded mels, and about mels that nobody recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from torch import Tensor

from recipes.vocoder.common.dataset import SliceBatch, SliceDataset
from recipes.vocoder.istft.augment import Mel, augmented
from recipes.vocoder.istft.config import AugmentSection
from speechkd.training.seeds import derive_seed

RECORDED, PREDICTED = "recorded", "predicted"


@dataclass(frozen=True)
class Question:
    """A slice that the teacher is asked about: `variant` is recorded, predicted, or the name of a changed copy."""

    clip: str
    variant: str
    start: int

    @property
    def key(self) -> str:
        """The id of the whole copy's stored answer."""
        return answer_id(self.clip, self.variant)


@dataclass
class Questions:
    """R slices of `n_frames` frames, by the ids of their answers; `heard` is what a live teacher hears of them."""

    ids: list[str]
    starts: list[int]
    n_frames: int
    heard: Tensor  # (R, W, n_mels), natural log; W = 0 where answers are stored
    offsets: list[int]  # where in `heard` the slice begins

    def to(self, device: torch.device | str) -> Questions:
        """The same questions on another device."""
        return Questions(self.ids, self.starts, self.n_frames, self.heard.to(device), self.offsets)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.heard.device


@dataclass
class TaughtBatch(SliceBatch):
    """B recorded slices, E slices of mels that nobody recorded, and the questions about all B + E of them."""

    extra: Tensor  # (E, F, n_mels), natural log
    questions: Questions

    def to(self, device: torch.device | str) -> TaughtBatch:
        """The same batch on another device."""
        moved = (self.mel.to(device), self.samples.to(device), self.extra.to(device), self.questions.to(device))
        return TaughtBatch(self.ids, *moved)


def answer_id(clip: str, variant: str) -> str:
    """The id of a teacher's answer to a copy of a clip."""
    return f"{clip}@{variant}"


class CopiesOfClips:
    """The mels of clips as they are, as an acoustic model predicts them, and changed."""

    def __init__(self, plain: SliceDataset, how: AugmentSection) -> None:
        self.plain, self.how = plain, how

    def mel(self, clip: str, variant: str) -> Mel:
        """The whole mel (frames, n_mels) of a copy."""
        if variant in (RECORDED, PREDICTED):
            return self.plain.mel(clip, variant == PREDICTED)
        floor = math.log(self.plain.recordings.preset.log_floor)
        return augmented(self.plain.mel(clip), clip, variant, self.how, floor)


class TaughtDataset(SliceDataset):
    """Random slices as in a SliceDataset, with questions.

    pool: the clips that changed copies are made of. context_frames: what a live teacher hears around a slice; None
    where answers are stored, which are of whole clips.
    """

    def __init__(
        self, plain: SliceDataset, pool: Sequence[str], how: AugmentSection, context_frames: int | None
    ) -> None:
        super().__init__(plain.mels, plain.recordings, plain.predicted, plain.share)
        self.copies, self.pool = CopiesOfClips(plain, how), list(pool)
        self.how, self.context_frames = how, context_frames

    def random(self, ids: Sequence[str], n_frames: int, seed: int, epoch: int) -> TaughtBatch:
        """As in a SliceDataset; the changed copies depend on seed, epoch and ids as well."""
        plain = super().random(ids, n_frames, seed, epoch)
        asked = [self._question(id_, n_frames, seed, epoch) for id_ in ids]
        draw = Random(derive_seed(seed, epoch=epoch, purpose=f"changed copies {' '.join(ids)}"))
        changed = [self._changed(draw, n_frames, epoch) for _ in range(round(self.how.share * len(ids)))]
        mels = [self.copies.mel(each.clip, each.variant) for each in changed]
        parts = [self._cut(mel, each.start, n_frames) for mel, each in zip(mels, changed, strict=True)]
        extra = torch.stack(parts) if parts else plain.mel.new_zeros(0, *plain.mel.shape[1:])
        return TaughtBatch(plain.ids, plain.mel, plain.samples, extra, self._questions(asked, changed, mels, n_frames))

    def _question(self, id_: str, n_frames: int, seed: int, epoch: int) -> Question:
        start, wanted = self.place(id_, n_frames, seed, epoch)
        there = wanted and self.predicted is not None and id_ in self.predicted
        return Question(id_, PREDICTED if there else RECORDED, start)

    def _changed(self, draw: Random, n_frames: int, epoch: int) -> Question:
        """A slice of a changed copy: of one of those that are stored, or of one that is of this epoch alone."""
        clip = draw.choice(self.pool)
        number = draw.randrange(self.how.copies)
        variant = str(number) if self.context_frames is None else f"{number}.{epoch}"
        length = len(self.copies.mel(clip, variant))
        return Question(clip, variant, draw.randint(0, max(0, length - n_frames)))

    def _questions(
        self, asked: Sequence[Question], changed: Sequence[Question], mels: Sequence[Mel], n_frames: int
    ) -> Questions:
        every = [*asked, *changed]
        windows, offsets = torch.zeros(len(every), 0, self.recordings.preset.n_mels), [0] * len(every)
        if self.context_frames is not None:
            whole = [self.copies.mel(each.clip, each.variant) for each in asked] + list(mels)
            pairs = [self._window(mel, each.start, n_frames) for mel, each in zip(whole, every, strict=True)]
            windows, offsets = torch.stack([window for window, _ in pairs]), [offset for _, offset in pairs]
        return Questions([each.key for each in every], [each.start for each in every], n_frames, windows, offsets)

    def _window(self, mel: Mel, start: int, n_frames: int) -> tuple[Tensor, int]:
        """A slice with its surroundings, which end where the clip ends, and where in them the slice begins."""
        assert self.context_frames is not None
        length = n_frames + 2 * self.context_frames
        first = min(max(0, start - self.context_frames), max(0, len(mel) - length))
        return self._cut(mel, first, length), start - first

    def _cut(self, mel: Mel, start: int, n_frames: int) -> Tensor:
        """Frames of a mel; after its end, silence."""
        floor = np.float32(math.log(self.recordings.preset.log_floor))
        out = torch.full((n_frames, mel.shape[1]), float(floor))
        part = torch.from_numpy(np.ascontiguousarray(mel[start : start + n_frames]))
        out[: len(part)] = part
        return out
