"""The inverse-STFT vocoder for the training loop: recordings and a game as for HiFi-GAN, the pitch, and a teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recipes.vocoder.common.task import VocoderTask
from recipes.vocoder.istft.dataset import PitchedBatch, PitchedDataset, TaughtBatch, TaughtDataset
from recipes.vocoder.istft.pitch import continuous
from recipes.vocoder.istft.plan import PREFIX, taught_plan
from speechkd.distill.objective import Objective
from speechkd.distill.schedules import weight_at
from speechkd.distill.targets import Targets
from speechkd.distill.teacher import Teacher
from speechkd.losses.pitch import pitch_cross_entropy
from speechkd.losses.spectral import MultiResolutionStftLoss
from speechkd.models.vocoder.excitation import NOISE_FRAMES
from speechkd.models.vocoder.istft import Filters, IstftVocoderNetwork, excitation_of


class IstftTask(VocoderTask):
    """L of VocoderTask + λ_p L_pitch on recordings + Σ λ_k L_k on what the teacher says.

    The filters are learned with pulses at the pitch of what is copied, not at the network's own. The teacher is asked
    about mels that nobody recorded: of the others there is something better. Validation hears recordings alone.
    """

    def __init__(
        self,
        model: IstftVocoderNetwork,
        opponent: nn.Module,
        dataset: PitchedDataset,
        splits: tuple[Sequence[str], Sequence[str]],
        cfg: Any,
        teacher: Teacher | None = None,
    ) -> None:
        """As VocoderTask. teacher: answers Questions; the dataset then is made a TaughtDataset."""
        if teacher is not None:
            context = cfg.teacher.context_frames if cfg.teacher.source == "live" else None
            dataset = TaughtDataset(dataset, splits[0], cfg.augment, context)
        super().__init__(model, opponent, dataset, splits, cfg)
        self.copies = Copies(model)
        self.teacher = teacher
        self.objective = taught_objective(cfg, self.copies, self.mel_loss) if teacher is not None else None
        self._filters: Filters | None = None

    def make(self, model: nn.Module, batch: Any, step: int) -> Tensor:
        """The samples of the recorded slices; the filters of all are kept for the other terms."""
        assert isinstance(batch, PitchedBatch) and isinstance(model, IstftVocoderNetwork)
        mels = torch.cat([batch.mel, batch.extra]) if isinstance(batch, TaughtBatch) else batch.mel
        self._filters = model.filters(mels.transpose(1, 2))
        self.copies.step = step
        return self.copies(Filters(*(part[: len(batch.ids)] for part in self._filters)), batch.f0_hz)

    def quiet_terms(self, batch: Any, made: Tensor, step: int) -> dict[str, Tensor]:
        """The weighted terms that need no discriminator; step 0 in validation, where the teacher is not heard."""
        assert self._filters is not None
        terms = super().quiet_terms(batch, made, step)
        if self.weights.pitch:
            said = self._filters.pitch[: len(batch.ids)]
            terms["pitch"] = self.weights.pitch * pitch_cross_entropy(said, batch.f0_hz, self.copies.log_pitches)
        if isinstance(batch, TaughtBatch) and self._heard(step):
            assert self.objective is not None and self.teacher is not None
            taught = Filters(*(part[len(batch.ids) :] for part in self._filters))
            terms |= self.objective.terms({"filters": taught}, self.teacher, batch.questions, step)
        return terms

    def _heard(self, step: int) -> bool:
        """Whether any term of the teacher has a weight at a step."""
        specs = self.objective.specs if self.objective is not None else ()
        return step > 0 and any(weight_at(spec.weight, step) != 0.0 for spec in specs)


class Copies:
    """The samples that filters make at a given pitch; the last ones are kept for the next term that asks for them."""

    def __init__(self, network: IstftVocoderNetwork) -> None:
        self.network, self.step = network, 0
        self._of: tuple[Filters, Tensor] | None = None
        self._samples: Tensor | None = None

    @property
    def log_pitches(self) -> Tensor:
        """Of the bins of the network's pitch."""
        return self.network.log_pitches

    def __call__(self, made: Filters, f0_hz: Tensor) -> Tensor:
        """Samples (B, F * hop) at f0_hz (B, F), 0 where unvoiced; the noise depends on `step`."""
        if self._of is None or self._of[0] is not made or self._of[1] is not f0_hz:
            pulses_hz = np.stack([continuous(row) for row in f0_hz.cpu().numpy()])
            firsts = np.random.default_rng(self.step).integers(NOISE_FRAMES, size=len(pulses_hz))
            with torch.autocast(made.real.device.type, enabled=False):
                excitation = excitation_of(pulses_hz, self.network.config, firsts).to(made.real.device)
                self._samples = self.network.excited(made, excitation)
            self._of = (made, f0_hz)
        assert self._samples is not None
        return self._samples


def taught_objective(cfg: Any, copies: Copies, mel_loss: nn.Module) -> Objective:
    """The terms of a configuration that the teacher's samples feed."""
    functions = {
        "mel": partial(_copied, mel_loss, copies),
        "stft": partial(_copied, MultiResolutionStftLoss(cfg.losses.resolutions), copies),
        "pitch": partial(_pitch, copies),
    }
    return taught_plan(cfg).objective({f"{PREFIX}{name}": function for name, function in functions.items()})


def _copied(loss: nn.Module, copies: Copies, outputs: Mapping[str, Any], targets: Targets, batch: Any) -> Tensor:
    value: Tensor = loss(copies(outputs["filters"], targets["f0_hz"]), targets["samples"].flatten(1).float())
    return value


def _pitch(copies: Copies, outputs: Mapping[str, Any], targets: Targets, batch: Any) -> Tensor:
    return pitch_cross_entropy(outputs["filters"].pitch, targets["f0_hz"], copies.log_pitches)
