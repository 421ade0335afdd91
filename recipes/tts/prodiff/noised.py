"""A batch with everything that teacher and student must share: the stretch of frames, the level of noise, the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recipes.tts.common.dataset import Batch
from speechkd.models.tts.adaptor import Variances


@dataclass
class Noised:
    """Utterances, and N frames of each that are denoised."""

    batch: Batch  # whole utterances
    starts: Tensor  # (B,) int64, first frame of the stretch
    mel: Tensor  # (B, N, n_mels) natural log, of the stretch
    mask: Tensor  # (B, N) True at real frames
    levels: Tensor  # (B,) int64
    noise: Tensor  # (B, N, n_mels) standard normal

    def to(self, device: torch.device | str) -> Noised:
        """The same batch on another device."""
        tensors = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return Noised(self.batch.to(device), **tensors)

    @property
    def ids(self) -> list[str]:
        """The utterances."""
        return self.batch.ids

    def arguments(self) -> tuple[Tensor, Tensor, Variances, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """What `ProDiff.forward` and `ProDiff.two_steps` take."""
        batch = self.batch
        return (
            batch.tokens, batch.token_lengths, batch.variances, self.mel, self.levels, self.noise, batch.speakers,
            self.starts,
        )  # fmt: skip


def noised(batch: Batch, n_frames: int, levels: Tensor, draw: torch.Generator) -> Noised:
    """Draw a stretch of every utterance, n_frames long (0, or more than there are: all of it), and its noise.

    levels: (B,) the level of every row. A stretch lies within its utterance; a shorter utterance is whole.
    """
    longest = batch.mel.shape[1]
    size = min(n_frames, longest) if n_frames else longest
    starts = torch.tensor([_start(length, size, draw) for length in batch.mel_lengths.tolist()])
    places = starts.unsqueeze(1) + torch.arange(size)
    mel = batch.mel[torch.arange(len(starts)).unsqueeze(1), places.clamp(max=longest - 1)]
    mask = places < batch.mel_lengths.unsqueeze(1)
    return Noised(batch, starts, mel, mask, levels, torch.randn(mel.shape, generator=draw))


def _start(length: int, size: int, draw: torch.Generator) -> int:
    return int(torch.randint(max(0, length - size) + 1, (), generator=draw))


def drawn_levels(choices: Sequence[int], count: int, draw: torch.Generator) -> Tensor:
    """Levels (count,) of training, each as likely as any other."""
    return torch.tensor(choices)[torch.randint(len(choices), (count,), generator=draw)]
