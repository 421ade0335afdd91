"""The teacher: a finished vocoder that is asked for the samples of mels, slice by slice or clip by clip."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from recipes.vocoder.istft.dataset import Questions
from recipes.vocoder.istft.plan import SPECS
from speechkd.config import digest
from speechkd.distill.store import TargetStore
from speechkd.distill.targets import Targets
from speechkd.distill.teacher import LiveTeacher
from speechkd.errors import ConfigError, StageError
from speechkd.models.vocoder.files import config_files, files_of, the_weights
from speechkd.models.vocoder.load import NetworkVocoder, load_vocoder
from speechkd.models.vocoder.options import VocoderOptions
from speechkd.runner.digests import file_digest

_OPTIONS: TypeAdapter[Any] = TypeAdapter(VocoderOptions)


class Speaker(nn.Module):
    """A generator at a level: mel (B, F, n_mels) to samples in rows of a hop, (B, F, hop), in half precision."""

    def __init__(self, generator: nn.Module, level_db: float) -> None:
        super().__init__()
        self.generator, self.shift = generator, level_db / 20.0 * math.log(10.0)

    def forward(self, mel: Tensor) -> Tensor:
        """The samples. Full scale fits into half precision many times over."""
        samples: Tensor = self.generator(mel.transpose(1, 2) + self.shift) * math.exp(-self.shift)
        return samples.unflatten(1, (mel.shape[1], -1)).half()


def open_speaker(path: Path, level_db: float, mel_preset_name: str) -> Speaker:
    """The vocoder at `path`. ConfigError if it is of another mel, or is no network; DataError if it is unusable."""
    vocoder = load_vocoder(_OPTIONS.validate_python({"path": path}), mel_preset_name)
    if not isinstance(vocoder, NetworkVocoder):
        raise ConfigError("only a network can teach", where=str(path))
    return Speaker(vocoder.generator, level_db).eval()


def who_speaks(path: Path, level_db: float) -> str:
    """The teacher's fingerprint: its files by content, and the level that it is heard at."""
    files = files_of(path)
    used = [the_weights(files, str(path)), *config_files(files)]
    return digest([level_db, *([file.name, file_digest(file)] for file in used)])


def answers(speaker: Speaker, questions: Questions) -> Targets:
    """What the teacher says about slices that it hears with their surroundings: `samples` (R, F, hop)."""
    said = speaker(questions.heard)
    slices = [said[row, at : at + questions.n_frames] for row, at in enumerate(questions.offsets)]
    return {"samples": torch.stack(slices)}


def live_teacher(cfg: Any) -> LiveTeacher:
    """The teacher of a configuration, who is asked at every step."""
    made_by = who_speaks(cfg.teacher.path, cfg.teacher.level_db)
    speaker = open_speaker(cfg.teacher.path, cfg.teacher.level_db, cfg.audio.mel)
    return LiveTeacher(speaker, answers, [spec.by(made_by) for spec in SPECS])


class StoredAnswers:
    """A teacher who said everything before: slices of the stored samples of whole clips, silent after their ends."""

    def __init__(self, store: TargetStore) -> None:
        self.store, self.specs, self.fingerprint = store, store.specs, store.teacher

    def targets(self, batch: Questions) -> Targets:
        """`samples` (R, F, hop) of the slices. DataError for a clip that has no answer."""
        rows = [self._slice(id_, start, batch.n_frames) for id_, start in zip(batch.ids, batch.starts, strict=True)]
        return {"samples": torch.stack(rows).to(batch.device)}

    def _slice(self, id_: str, start: int, n_frames: int) -> Tensor:
        whole = self.store.arrays(id_)["samples"]
        if start >= len(whole):
            todo = "Run the stage targets again"
            raise StageError("the teacher's answer is shorter than the clip", where=id_, todo=todo)
        out = torch.zeros(n_frames, whole.shape[1], dtype=torch.float16)
        part = torch.from_numpy(whole[start : start + n_frames].copy())
        out[: len(part)] = part
        return out
