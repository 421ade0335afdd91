"""FastSpeech for the training loop: its batches, its losses, and how it fits recordings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recipes.tts.common.dataset import mean_of
from recipes.tts.common.texts import TextBatch, Texts
from recipes.tts.fastspeech.config import LossSection
from recipes.tts.fastspeech.plan import student_plan
from speechkd.data.batching import plan_batches
from speechkd.distill.objective import Objective, TermFunction
from speechkd.distill.targets import Targets
from speechkd.distill.teacher import StoredTargets, Teacher
from speechkd.losses.masked import masked_distance, masked_mse
from speechkd.models.common.masks import length_mask
from speechkd.models.tts.fastspeech import FastSpeech, FastSpeechOutput
from speechkd.runner import ItemStore

VALID_BATCH_FRAMES = 12000


def objective(loss: LossSection) -> Objective:
    """L = w_mel · distance(mel, mel') + w_duration · (log d - log(d' + 1))²; see `plan.terms`."""

    def mel(outputs: Mapping[str, Any], targets: Targets, batch: TextBatch) -> Tensor:
        lengths = targets["durations"].sum(dim=1)
        mask = length_mask(lengths, targets["mel"].shape[1])
        return masked_distance(loss.mel, outputs["mel"], targets["mel"], mask)

    def duration(outputs: Mapping[str, Any], targets: Targets, batch: TextBatch) -> Tensor:
        return masked_mse(outputs["log_durations"].float(), torch.log1p(targets["durations"].float()), batch.mask)

    functions: dict[str, TermFunction] = {"mel": mel, "duration": duration}
    return student_plan(loss).objective(functions)


class Recordings:
    """Validation against what was recorded: mels from the artifact `features`, durations from the artifact `forced`."""

    def __init__(self, features: ItemStore, forced: Teacher, ids: Sequence[str]) -> None:
        self.features, self.forced = features, forced
        lengths = {id_: int(features.meta(id_)["n_frames"]) for id_ in ids}
        self.batches = plan_batches(lengths, VALID_BATCH_FRAMES, seed=0, epoch=0)

    def targets(self, batch: TextBatch) -> Targets:
        """The recordings' mels with the frames that the teacher found for each token in them."""
        mels = [torch.from_numpy(self.features.array(id_, "mel")) for id_ in batch.ids]
        mel = torch.nn.utils.rnn.pad_sequence(mels, batch_first=True).to(batch.device)
        return {"mel": mel, **self.forced.targets(batch)}


class FastSpeechTask:
    """Learns what the teacher stored, for the tokens as said."""

    def __init__(
        self,
        model: FastSpeech,
        texts: Texts,
        teacher: StoredTargets,
        ids: tuple[Sequence[str], Sequence[str]],
        batch_frames: int,
        loss: LossSection,
        recordings: Recordings | None = None,
    ) -> None:
        self.model: nn.Module = model
        self.texts, self.teacher, self.recordings = texts, teacher, recordings
        self.batch_frames = batch_frames
        self.objective = objective(loss)
        self.lengths, valid = ({id_: int(teacher.store.meta(id_)["n_frames"]) for id_ in part} for part in ids)
        self.valid = plan_batches(valid, VALID_BATCH_FRAMES, seed=0, epoch=0)

    def epoch(self, seed: int, epoch: int) -> Sequence[Sequence[str]]:
        """Bucketed batches of one epoch."""
        return plan_batches(self.lengths, self.batch_frames, seed, epoch)

    def load(self, ids: Sequence[str]) -> TextBatch:
        """The padded texts; their targets are read when the loss is computed."""
        return self.texts.batch(ids)

    def losses(self, model: nn.Module, batch: TextBatch, step: int) -> Mapping[str, Tensor]:
        """The two terms; their sum is the loss."""
        return self._terms(model, batch, self.teacher.targets(batch), step)

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Losses on the validation utterances' own targets; `recording_…`: the same beside the recordings.

        Beside a recording the student speaks with the durations of the teacher-forced pass over it.
        """
        figures = self._mean(model, self.valid, self.teacher.targets, device)
        figures["loss"] = sum(figures.values())
        if self.recordings is not None:
            beside = self._mean(model, self.recordings.batches, self.recordings.targets, device)
            figures |= {f"recording_{name}": value for name, value in beside.items()}
        return figures

    def _terms(self, model: nn.Module, batch: TextBatch, targets: Targets, step: int) -> dict[str, Tensor]:
        durations = targets["durations"].long()
        output: FastSpeechOutput = model(batch.tokens, batch.token_lengths, durations, batch.speakers)
        return self.objective.terms(vars(output), targets, batch, step)

    def _mean(
        self,
        model: nn.Module,
        batches: Sequence[Sequence[str]],
        targets: Callable[[TextBatch], Targets],
        device: torch.device,
    ) -> dict[str, float]:
        rows: list[dict[str, float]] = []
        for ids in batches:
            batch = self.texts.batch(ids).to(device)
            with torch.inference_mode():
                terms = self._terms(model, batch, targets(batch), step=1)
            rows += [{name: float(value) for name, value in terms.items()}] * len(ids)
        return mean_of(rows)
