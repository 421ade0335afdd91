"""The teacher: a finished vocoder that is asked for the samples of mels, slice by slice or clip by clip."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from recipes.vocoder.istft.dataset import Questions
from recipes.vocoder.istft.pitch import pitch_of
from recipes.vocoder.istft.plan import SPECS
from speechkd.audio.presets import MelPreset, mel_preset
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


def said(speaker: Speaker, mels: Tensor, preset: MelPreset) -> dict[str, Tensor]:
    """What the teacher says of mels (R, F, n_mels): `samples` (R, F, hop) and their pitch, `f0_hz` (R, F)."""
    samples = speaker(mels)
    f0_hz = [torch.from_numpy(pitch_of(row.flatten().float().cpu().numpy(), preset)) for row in samples]
    return {"samples": samples, "f0_hz": torch.stack(f0_hz).to(samples.device)}


def answers(preset: MelPreset, speaker: Speaker, questions: Questions) -> Targets:
    """What the teacher says about slices that it hears with their surroundings."""
    whole = said(speaker, questions.heard, preset)
    places = [(row, slice(at, at + questions.n_frames)) for row, at in enumerate(questions.offsets)]
    return {name: torch.stack([values[place] for place in places]) for name, values in whole.items()}


def live_teacher(cfg: Any) -> LiveTeacher:
    """The teacher of a configuration, who is asked at every step."""
    made_by = who_speaks(cfg.teacher.path, cfg.teacher.level_db)
    speaker = open_speaker(cfg.teacher.path, cfg.teacher.level_db, cfg.audio.mel)
    return LiveTeacher(speaker, partial(answers, mel_preset(cfg.audio.mel)), [spec.by(made_by) for spec in SPECS])


class StoredAnswers:
    """A teacher who said everything before: slices of its answers to whole clips, silent after their ends."""

    def __init__(self, store: TargetStore) -> None:
        self.store, self.specs, self.fingerprint = store, store.specs, store.teacher

    def targets(self, batch: Questions) -> Targets:
        """`samples` (R, F, hop) and `f0_hz` (R, F) of the slices. DataError for a clip that has no answer."""
        rows = [self._slice(id_, start, batch.n_frames) for id_, start in zip(batch.ids, batch.starts, strict=True)]
        return {spec.name: torch.stack([row[spec.name] for row in rows]).to(batch.device) for spec in self.specs}

    def _slice(self, id_: str, start: int, n_frames: int) -> dict[str, Tensor]:
        answer = self.store.arrays(id_)
        if start >= len(answer["f0_hz"]):
            todo = "Run the stage targets again"
            raise StageError("the teacher's answer is shorter than the clip", where=id_, todo=todo)
        return {name: _padded(values[start : start + n_frames], n_frames) for name, values in answer.items()}


def _padded(values: Any, n_frames: int) -> Tensor:
    """The first rows of an array (F, ...), and zeros for those it lacks."""
    out = torch.zeros(n_frames, *values.shape[1:], dtype=torch.from_numpy(values[:0]).dtype)
    out[: len(values)] = torch.from_numpy(values.copy())
    return out
