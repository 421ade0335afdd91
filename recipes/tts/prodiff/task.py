"""ProDiff for the training loop: its batches and its losses, on recordings and on what a teacher says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recipes.tts.common.dataset import TtsDataset, mean_of
from recipes.tts.fastspeech2.task import FastSpeech2Task, variance_losses
from recipes.tts.prodiff.noised import Noised, drawn_levels, noised
from recipes.tts.prodiff.plan import student_plan
from speechkd.distill.objective import Objective
from speechkd.distill.targets import Targets
from speechkd.distill.teacher import Teacher
from speechkd.losses.masked import masked_l1
from speechkd.losses.ssim import masked_ssim_loss
from speechkd.models.tts.prodiff import Denoised, ProDiff
from speechkd.training.seeds import derive_seed

_LN10 = math.log(10.0)


class ProDiffTask(FastSpeech2Task):
    """L = w_l1 |x_0 - f| + w_ssim (1 - SSIM(x_0, f)) + w_variance (duration + pitch + energy), on recordings.

    With the parameterisation `gradient` the first two are |ε - ε_θ| instead. Everything is a mean over real frames;
    levels are drawn from 0 to T, T included. Durations, pitch and energy are as in FastSpeech 2 and weighted alike; the
    paper's code has two more terms for the durations of words and of sentences, which are left out.
    """

    def __init__(
        self, model: ProDiff, dataset: TtsDataset, splits: tuple[Sequence[str], Sequence[str]], cfg: Any
    ) -> None:
        """splits: the ids to train on and those to validate on. cfg: the sections of the recipe."""
        super().__init__(
            model,  # type: ignore[arg-type]
            dataset, *splits, cfg.train.batch_frames, cfg.augment, cfg.loading.window_shards,
        )  # fmt: skip
        self.weights, self.n_frames = cfg.loss, cfg.slices.frames
        self.predicts = model.config.diffusion.predicts
        self.levels = trained_levels(model)

    def load(self, ids: Sequence[str]) -> Noised:  # type: ignore[override]
        """A padded batch with levels and noise, which depend on seed, epoch and utterances alone."""
        batch, (seed, epoch) = super().load(ids), self.place
        draw = torch.Generator().manual_seed(derive_seed(seed, epoch=epoch, purpose=f"noise {' '.join(ids)}"))
        return noised(batch, self.n_frames, drawn_levels(self.levels, len(ids), draw), draw)

    def losses(self, model: nn.Module, batch: Noised, step: int = 0) -> Mapping[str, Tensor]:  # type: ignore[override]
        """The weighted terms; their sum is the loss. Those of weight 0 are not computed."""
        out: Denoised = model(*batch.arguments())
        variances = variance_losses(out.adapted, batch.batch, self.dataset.statistics)
        return self._mel_terms(out, batch) | {k: self.weights.variance * v for k, v in variances.items()}

    def _mel_terms(self, out: Denoised, batch: Noised) -> dict[str, Tensor]:
        if self.predicts == "noise":
            return {"noise": masked_l1(out.made, batch.noise, batch.mask)}
        target, terms = batch.mel / _LN10, {}
        if self.weights.l1:
            terms["l1"] = self.weights.l1 * masked_l1(out.clean, target, batch.mask)
        if self.weights.ssim:
            terms["ssim"] = self.weights.ssim * masked_ssim_loss(out.clean, target, batch.mask)
        return terms

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Mean losses over whole validation utterances, with true durations, pitch and energy.

        Their levels take turns, and levels and noise are always the same: figures of two steps can be compared. They
        say nothing about predicted durations, pitch and energy, and a low loss does not promise a good voice.
        """
        rows: list[dict[str, float]] = []
        for batch in self.held_out():
            with torch.inference_mode():
                terms = self._figures(model, batch.to(device))
            row = {name: float(value) for name, value in terms.items()}
            rows += [row] * len(batch.ids)
        return mean_of(rows)

    def _figures(self, model: nn.Module, batch: Noised) -> dict[str, Tensor]:
        terms = dict(self.losses(model, batch))
        return terms | {"loss": torch.stack(list(terms.values())).sum()}

    def held_out(self) -> Iterator[Noised]:
        """The validation utterances, whole, each with its level and its noise."""
        done = 0
        for ids in self.valid:
            draw = torch.Generator().manual_seed(derive_seed(0, purpose=f"validation noise {' '.join(ids)}"))
            levels = torch.tensor([self.levels[(done + row) % len(self.levels)] for row in range(len(ids))])
            done += len(ids)
            yield noised(self.dataset.batch(ids), 0, levels, draw)


def trained_levels(model: ProDiff) -> tuple[int, ...]:
    """The levels that a model is trained on: a teacher's are all, a student's those that its steps start from."""
    if model.config.stride:
        return tuple(sorted(step.level for step in model.steps))
    return tuple(range(model.schedule.top + 1))


def objective() -> Objective:
    """L = |f - x̃| over real frames; see `plan.TERM`."""

    def mel(outputs: Mapping[str, Any], targets: Targets, batch: Noised) -> Tensor:
        return masked_l1(outputs["clean"], targets["mel"], batch.mask)

    return student_plan().objective({"mel": mel})


class StudentTask(ProDiffTask):
    """Learns to do in one step what its teacher does in two."""

    def __init__(
        self,
        model: ProDiff,
        dataset: TtsDataset,
        splits: tuple[Sequence[str], Sequence[str]],
        cfg: Any,
        teacher: Teacher,
    ) -> None:
        """Arguments as of `ProDiffTask`; `teacher` gives the target `mel`."""
        super().__init__(model, dataset, splits, cfg)
        self.teacher, self.objective = teacher, objective()

    def losses(self, model: nn.Module, batch: Noised, step: int = 1) -> Mapping[str, Tensor]:  # type: ignore[override]
        """The one term."""
        return self.objective.terms(vars(model(*batch.arguments())), self.teacher, batch, step)

    def _figures(self, model: nn.Module, batch: Noised) -> dict[str, Tensor]:
        """`recording`: the same distance from the recordings, which the student never sees."""
        out: Denoised = model(*batch.arguments())
        terms = self.objective.terms(vars(out), self.teacher, batch, 1)
        beside = masked_l1(out.clean, batch.mel / _LN10, batch.mask)
        return terms | {"loss": torch.stack(list(terms.values())).sum(), "recording": beside}
