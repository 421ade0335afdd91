"""Slices with their pitch, and questions to a teacher about mels that nobody recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from torch import Tensor

from recipes.vocoder.common.dataset import SliceBatch, SliceDataset
from recipes.vocoder.istft.augment import Mel, augmented
from recipes.vocoder.istft.config import AugmentSection
from speechkd.runner import ItemStore
from speechkd.training.seeds import derive_seed


@dataclass(frozen=True)
class Question:
    """A slice that the teacher is asked about: `variant` is the name of a changed copy of a clip."""

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
class PitchedBatch(SliceBatch):
    """Slices and their pitch."""

    f0_hz: Tensor  # (B, F), 0 where unvoiced

    def to(self, device: torch.device | str) -> PitchedBatch:
        """The same batch on another device."""
        return PitchedBatch(self.ids, self.mel.to(device), self.samples.to(device), self.f0_hz.to(device))


@dataclass
class TaughtBatch(PitchedBatch):
    """B recorded slices, R slices of mels that nobody recorded, and the questions about these."""

    extra: Tensor  # (R, F, n_mels), natural log
    questions: Questions

    def to(self, device: torch.device | str) -> TaughtBatch:
        """The same batch on another device."""
        mel, samples, f0_hz, extra = (part.to(device) for part in (self.mel, self.samples, self.f0_hz, self.extra))
        return TaughtBatch(self.ids, mel, samples, f0_hz, extra, self.questions.to(device))


def answer_id(clip: str, variant: str) -> str:
    """The id of a teacher's answer to a copy of a clip."""
    return f"{clip}@{variant}"


class PitchedDataset(SliceDataset):
    """Slices as in a SliceDataset, with the pitch of their recordings (`pitch`: f0_hz per clip)."""

    def __init__(self, plain: SliceDataset, pitch: ItemStore) -> None:
        super().__init__(plain.mels, plain.recordings, plain.predicted, plain.share)
        self.pitch = pitch

    def _batch(self, ids: Sequence[str], n_frames: int, place: Callable[[str], tuple[int, bool]]) -> PitchedBatch:
        plain = super()._batch(ids, n_frames, place)
        f0_hz = torch.stack([self._f0(id_, place(id_)[0], n_frames) for id_ in ids])
        return PitchedBatch(plain.ids, plain.mel, plain.samples, f0_hz)

    def _f0(self, id_: str, start: int, n_frames: int) -> Tensor:
        """f0_hz (n_frames,); after the clip's end, 0."""
        part = torch.from_numpy(self.pitch.array(id_, "f0_hz")[start : start + n_frames].copy())
        return torch.nn.functional.pad(part, (0, n_frames - len(part)))


class CopiesOfClips:
    """The mels of clips, changed."""

    def __init__(self, plain: SliceDataset, how: AugmentSection) -> None:
        self.plain, self.how = plain, how

    def mel(self, clip: str, variant: str) -> Mel:
        """The whole mel (frames, n_mels) of a copy."""
        floor = math.log(self.plain.recordings.preset.log_floor)
        return augmented(self.plain.mel(clip), clip, variant, self.how, floor)


class TaughtDataset(PitchedDataset):
    """Random slices as in a PitchedDataset, with questions.

    pool: the clips that changed copies are made of. context_frames: what a live teacher hears around a slice; None
    where answers are stored, which are of whole clips.
    """

    def __init__(
        self, plain: PitchedDataset, pool: Sequence[str], how: AugmentSection, context_frames: int | None
    ) -> None:
        super().__init__(plain, plain.pitch)
        self.copies, self.pool = CopiesOfClips(plain, how), list(pool)
        self.how, self.context_frames = how, context_frames

    def random(self, ids: Sequence[str], n_frames: int, seed: int, epoch: int) -> TaughtBatch:
        """As in a PitchedDataset; the changed copies depend on seed, epoch and ids as well."""
        plain = super().random(ids, n_frames, seed, epoch)
        assert isinstance(plain, PitchedBatch)
        draw = Random(derive_seed(seed, epoch=epoch, purpose=f"changed copies {' '.join(ids)}"))
        asked = [self._changed(draw, n_frames, epoch) for _ in range(max(1, round(self.how.share * len(ids))))]
        mels = [self.copies.mel(each.clip, each.variant) for each in asked]
        extra = torch.stack([self._cut(mel, each.start, n_frames) for mel, each in zip(mels, asked, strict=True)])
        questions = self._questions(asked, mels, n_frames)
        return TaughtBatch(plain.ids, plain.mel, plain.samples, plain.f0_hz, extra, questions)

    def _changed(self, draw: Random, n_frames: int, epoch: int) -> Question:
        """A slice of a changed copy: of one of those that are stored, or of one that is of this epoch alone."""
        clip = draw.choice(self.pool)
        number = draw.randrange(self.how.copies)
        variant = str(number) if self.context_frames is None else f"{number}.{epoch}"
        length = len(self.copies.mel(clip, variant))
        return Question(clip, variant, draw.randint(0, max(0, length - n_frames)))

    def _questions(self, asked: Sequence[Question], mels: Sequence[Mel], n_frames: int) -> Questions:
        windows, offsets = torch.zeros(len(asked), 0, self.recordings.preset.n_mels), [0] * len(asked)
        if self.context_frames is not None:
            pairs = [self._window(mel, each.start, n_frames) for mel, each in zip(mels, asked, strict=True)]
            windows, offsets = torch.stack([window for window, _ in pairs]), [offset for _, offset in pairs]
        return Questions([each.key for each in asked], [each.start for each in asked], n_frames, windows, offsets)

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
