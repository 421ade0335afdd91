"""The inverse-STFT vocoder for the training loop: recordings and a game as for HiFi-GAN, and a teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from recipes.vocoder.common.dataset import SliceBatch
from recipes.vocoder.common.task import VocoderTask
from recipes.vocoder.istft.config import PHASE_RESOLUTION
from recipes.vocoder.istft.dataset import TaughtBatch, TaughtDataset
from recipes.vocoder.istft.plan import PREFIX, taught_plan
from speechkd.distill.objective import Objective
from speechkd.distill.schedules import weight_at
from speechkd.distill.targets import Targets
from speechkd.distill.teacher import Teacher
from speechkd.losses.phase import (
    PhaseLoss,
    complex_distance,
    complex_spectrum,
    delay_distance,
    frequency_distance,
    phase_distance,
)
from speechkd.losses.spectral import MultiResolutionStftLoss
from speechkd.losses.spectral_config import Resolution


class IstftTask(VocoderTask):
    """L of VocoderTask + λ_f L_frequency + λ_d L_delay on recordings + Σ λ_k L_k on what the teacher says.

    The teacher's terms are over recorded slices and over those that nobody recorded; without a teacher, and where all
    its weights are 0, this is the task without one, to the last bit. Validation hears recordings alone.
    """

    def __init__(
        self,
        model: nn.Module,
        opponent: nn.Module,
        dataset: Any,
        splits: tuple[Sequence[str], Sequence[str]],
        cfg: Any,
        teacher: Teacher | None = None,
    ) -> None:
        """As VocoderTask. teacher: answers Questions; the dataset then is made a TaughtDataset."""
        self.teacher, self.objective = teacher, taught_objective(cfg) if teacher is not None else None
        if teacher is not None:
            context = cfg.teacher.context_frames if cfg.teacher.source == "live" else None
            dataset = TaughtDataset(dataset, splits[0], cfg.augment, context)
        super().__init__(model, opponent, dataset, splits, cfg)
        weights = cfg.losses
        self.advance = {
            name: PhaseLoss(PHASE_RESOLUTION, 0.0, *pair)
            for name, pair in (("frequency", (weights.frequency, 0.0)), ("delay", (0.0, weights.delay)))
            if any(pair)
        }
        self._all: Tensor | None = None

    def make(self, model: nn.Module, batch: SliceBatch) -> Tensor:
        """The samples of the recorded slices; those of the others are kept for the teacher's terms."""
        if not isinstance(batch, TaughtBatch):
            return super().make(model, batch)
        self._all = model(torch.cat([batch.mel, batch.extra]).transpose(1, 2))
        made: Tensor = self._all[: len(batch.ids)]
        return made

    def quiet_terms(self, batch: SliceBatch, made: Tensor, step: int) -> dict[str, Tensor]:
        """The weighted terms that need no discriminator; step 0 in validation, where the teacher is not heard."""
        terms = super().quiet_terms(batch, made, step)
        terms |= {name: loss(made, batch.samples) for name, loss in self.advance.items()}
        if isinstance(batch, TaughtBatch) and self._heard(step):
            assert self._all is not None and self.objective is not None and self.teacher is not None
            terms |= self.objective.terms({"samples": self._all}, self.teacher, batch.questions, step)
        return terms

    def _heard(self, step: int) -> bool:
        """Whether any term of the teacher has a weight at a step."""
        specs = self.objective.specs if self.objective is not None else ()
        return step > 0 and any(weight_at(spec.weight, step) != 0.0 for spec in specs)


def taught_objective(cfg: Any) -> Objective:
    """The terms of a configuration that the teacher's samples feed."""
    spectra = _Spectra(cfg.distill.resolution)
    distances = {
        "phase": phase_distance,
        "frequency": frequency_distance,
        "delay": delay_distance,
        "complex": complex_distance,
    }
    functions = {f"{PREFIX}{name}": partial(_between, each, spectra) for name, each in distances.items()}
    functions[f"{PREFIX}stft"] = partial(_stft, MultiResolutionStftLoss(cfg.losses.resolutions))
    return taught_plan(cfg).objective(functions)


def _said(targets: Targets) -> Tensor:
    """The teacher's samples (R, F * hop)."""
    return targets["samples"].flatten(1).float()


def _stft(loss: nn.Module, outputs: Mapping[str, Any], targets: Targets, batch: Any) -> Tensor:
    value: Tensor = loss(outputs["samples"], _said(targets))
    return value


class _Spectra:
    """The complex spectra of a batch's samples and of the teacher's, made once for all terms that compare them."""

    def __init__(self, resolution: Resolution) -> None:
        self.resolution = resolution
        self._samples: Tensor | None = None
        self._pair: tuple[Tensor, Tensor] | None = None

    def __call__(self, samples: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        if self._pair is None or self._samples is not samples:
            with torch.autocast(samples.device.type, enabled=False):
                self._pair = (
                    complex_spectrum(samples, self.resolution),
                    complex_spectrum(_said(targets), self.resolution),
                )
            self._samples = samples
        return self._pair


def _between(distance: Any, spectra: _Spectra, outputs: Mapping[str, Any], targets: Targets, batch: Any) -> Tensor:
    with torch.autocast(outputs["samples"].device.type, enabled=False):
        value: Tensor = distance(*spectra(outputs["samples"], targets))
    return value
