"""Several FastSpeech 2 that read texts together, as one teacher: what they say is averaged.

What training with other random numbers would have changed in a model is averaged away in the mean of several, so the
mean is nearer to the speaker than each of them (Hansen and Salamon, 1990); a student learns the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recipes.tts.common.origin import origins
from recipes.tts.common.teachers import Wanted, check_teacher
from recipes.tts.common.texts import TextBatch
from recipes.tts.fastspeech2.plan import target_specs
from speechkd.config import digest
from speechkd.distill.fingerprint import fingerprint
from speechkd.distill.targets import Targets
from speechkd.distill.teacher import LiveTeacher
from speechkd.errors import ConfigError
from speechkd.features.logarithm import hz_of_log, log_hz
from speechkd.models.tts.adaptor import Adapted
from speechkd.models.tts.config import AdaptorNetworkConfig
from speechkd.models.tts.fastspeech2 import FastSpeech2
from speechkd.models.tts.load import load_model

WANTED = Wanted("fastspeech2", first="run.sh fastspeech2")


class Readers(nn.Module):
    """Those whose mels are averaged, and one whose pitch and energy are taken where they have none.

    network: the student's, which says what pitch and energy are per.
    """

    def __init__(
        self, readers: Sequence[FastSpeech2], network: AdaptorNetworkConfig, prosody: FastSpeech2 | None = None
    ) -> None:
        super().__init__()
        self.readers = nn.ModuleList(readers)
        self.prosody = prosody
        self.network = network

    @property
    def all(self) -> list[FastSpeech2]:
        """Everybody."""
        others = [] if self.prosody is None else [self.prosody]
        return [*self.readers, *others]


def open_readers(
    folders: Sequence[Path],
    prosody: Path | None,
    network: AdaptorNetworkConfig,
    manifest: Path,
    spoken: Path,
    audio: Any,
) -> LiveTeacher:
    """The models in these folders as one teacher of a student with this network; `prosody` tells pitch and energy.

    Raises what `check_teacher` raises, and ConfigError for models that do not have what the student is to learn.
    """
    everybody = [*folders, *([prosody] if prosody else [])]
    for folder in everybody:
        check_teacher(folder, WANTED, manifest, spoken, audio)
    _refuse_many_origins(everybody)
    models = [load_model(folder) for folder in everybody]
    for folder, model in zip(everybody, models, strict=True):
        _refuse_other_levels(model.config.network, network, folder)
    _refuse_without(models, network)
    readers = Readers(models[: len(folders)], network, models[-1] if prosody else None)
    return live_readers(readers, digest([fingerprint(folder) for folder in everybody]))


def live_readers(readers: Readers, made_by: str) -> LiveTeacher:
    """These models as one teacher. made_by: their fingerprint."""
    return LiveTeacher(readers, read_together, [spec.by(made_by) for spec in target_specs(readers.network)])


def _refuse_many_origins(folders: Sequence[Path]) -> None:
    """A student's card can name one voice that its teachers were fine-tuned from, and its licence."""
    found = {start.weights_sha256: start.name for folder in folders for start in origins(folder).values()}
    if len(found) > 1:
        raise ConfigError(
            "the teachers were fine-tuned from different voices", where="teachers.models",
            why=", ".join(sorted(found.values())), todo="Leave all but one of these out, or those that were fine-tuned",
        )  # fmt: skip


def _refuse_other_levels(teacher: AdaptorNetworkConfig, student: AdaptorNetworkConfig, folder: Path) -> None:
    """Pitch and energy can be averaged and learned where they mean the same."""
    for name in ("pitch", "energy"):
        theirs, own = getattr(teacher, name), getattr(student, name)
        if "none" in (theirs.target, own.target) or (theirs.target, theirs.level) == (own.target, own.level):
            continue
        raise ConfigError(
            f"a teacher has another {name}", where=str(folder),
            why=f"{theirs.target} per {theirs.level}, and the student {own.target} per {own.level}",
            todo=f"Give the student the teacher's model.{name}, or leave this teacher out",
        )  # fmt: skip


def _refuse_without(models: Sequence[FastSpeech2], network: AdaptorNetworkConfig) -> None:
    for name in ("pitch", "energy"):
        if getattr(network, name).target != "none" and all(getattr(model, name) is None for model in models):
            todo = f"Add one that has it, or set model.{name}.target none"
            raise ConfigError(
                f"no teacher has {name}, which the student is to learn", where="teachers.models", todo=todo
            )


def read_together(readers: Readers, texts: TextBatch) -> Targets:
    """What the readers say of texts on average: `plan.target_specs`."""
    inputs = (texts.tokens, texts.token_lengths, texts.speakers)
    everybody, network, n_readers = readers.all, readers.network, len(readers.readers)
    log_durations = _mean([reader.adapt_freely(*inputs).log_durations for reader in everybody[:n_readers]])
    durations = everybody[0].frames_of(texts.tokens, log_durations, texts.mask)
    adapted = [reader.adapt_freely(*inputs, durations) for reader in everybody]
    mel = _mean([reader.decode(each) for reader, each in zip(everybody[:n_readers], adapted, strict=False)])
    pitch_hz, voiced = _pitch(adapted, _places(network.pitch.level, durations, mel))
    return {
        "mel": mel,
        "durations": durations,
        "pitch_hz": pitch_hz,
        "voiced": voiced,
        "energy": _energy(everybody, adapted, _places(network.energy.level, durations, mel)),
    }


def _places(level: str, durations: Tensor, mel: Tensor) -> Tensor:
    """Zeros (B, P), a place per token or frame: what a feature is that no reader knows and no student learns."""
    return torch.zeros_like(durations, dtype=mel.dtype) if level == "phoneme" else mel.new_zeros(mel.shape[:2])


def _pitch(adapted: Sequence[Adapted], unknown: Tensor) -> tuple[Tensor, Tensor]:
    """F0 in Hz, and whether there is one: (B, P) each."""
    known = [each.pitch for each in adapted if each.pitch is not None]
    if not known:
        return unknown, unknown > 0
    return hz_of_log(_mean([log_hz(each.f0_hz) for each in known])), _mean([each.voicing for each in known]) > 0


def _energy(readers: Sequence[FastSpeech2], adapted: Sequence[Adapted], unknown: Tensor) -> Tensor:
    """(B, P)."""
    known = []
    for reader, each in zip(readers, adapted, strict=True):
        if reader.energy is not None and each.energy is not None:
            mean, deviation = reader.energy.scale
            known.append(mean + deviation * each.energy.values)
    return _mean(known) if known else unknown


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(tensors)).mean(dim=0)
