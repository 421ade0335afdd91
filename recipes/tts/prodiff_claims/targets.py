"""A student's targets: how much they vary where the text is the same, and what half precision does to them.

With text, durations, pitch and energy as in the recording, noise is drawn several times. Each draw gives the teacher's
target x̃; their variance is what the student cannot know. For recordings it is what a model that knows as much leaves
over: the squared distance from its answer, once of FastSpeech 2 and once of the mean of the teacher's own answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recipes.tts.common.claims.speaking import true_batch, with_true_variances
from recipes.tts.common.claims.systems import System, write_json
from recipes.tts.prodiff.noised import Noised, noised
from recipes.tts.prodiff_claims.systems import finished
from speechkd.models.common.diffusion import Schedule, student_steps
from speechkd.models.tts.prodiff import ProDiff, TwoAnswers
from speechkd.runner import Context, Item, ItemStore
from speechkd.training.seeds import derive_seed

_LN10 = math.log(10.0)
#: The forms of the target that are compared in half precision.
HALF_FORMS = ("mixture", "subtraction")


@dataclass(frozen=True)
class Setting:
    """Whose targets they are, and the other model of the mean."""

    teacher: System
    regressor: System | None
    noises: int


def run(cfg: Any, ctx: Context) -> None:
    """Write `targets`: targets.json, means over all frames of held-out utterances."""
    there = finished(cfg.systems, "teacher", "fastspeech2")
    teacher, found = there.get("teacher"), dict[str, Any]()
    if teacher is not None and teacher.has("features", "spoken"):
        ids = teacher.ids("test", limit=cfg.targets.utterances)
        setting = Setting(teacher, there.get("fastspeech2"), cfg.targets.noises)
        store = ctx.gather(measure, [(id_, None) for id_ in ids], "targets", common=setting)
        found = {"systems": {"teacher": summarised(store, ids)}, "noises": cfg.targets.noises, "utterances": len(ids)}
    write_json(ctx.output("targets") / "targets.json", found)


def measure(id_: str, _value: None, setting: Setting) -> Item:
    """Sums over the frames of one utterance, by mel bin; and the squared errors of half precision."""
    model: ProDiff = setting.teacher.model()
    step = max(1, model.config.stride)
    levels = [each.level for each in student_steps(model.schedule, 2 * step)]
    told = {level: repeated(setting.teacher, id_, level, setting.noises) for level in levels}
    targets = torch.stack([model.two_steps(*each.arguments()) for each in told.values()])  # (L, R, F, n_mels)
    recorded = told[levels[0]].mel[0] / _LN10
    arrays = {
        "targets": targets.var(dim=1).mean(dim=0).sum(dim=0),
        "around_targets": (recorded - targets.mean(dim=(0, 1))).square().sum(dim=0),
    }
    if setting.regressor is not None:
        predicted = torch.from_numpy(with_true_variances(setting.regressor, id_)) / _LN10
        arrays["around_fastspeech2"] = (recorded - predicted).square().sum(dim=0)
    half = half_errors(model.schedule, model.two_answers(*told[levels[0]].arguments()), levels[0], step)
    return Item({name: each.numpy() for name, each in arrays.items()}, {"n_frames": len(recorded), "half": half})


def repeated(system: System, id_: str, level: int, times: int) -> Noised:
    """An utterance several times over, each row at the same level with noise of its own."""
    draw = torch.Generator().manual_seed(derive_seed(0, purpose=f"claims noises {id_}"))
    return noised(true_batch(system, [id_] * times), 0, torch.full((times,), level), draw)


def half_errors(schedule: Schedule, said: TwoAnswers, level: int, step: int) -> dict[str, float]:
    """Mean squared error of the target in half precision, made as the mixture and as the difference of its definition.

    The truth is the mixture of the same answers in double precision.
    """
    middle, lower = level - step, level - 2 * step
    weight = schedule.mixture_weight(level, middle, lower)
    exact = weight * said.second.double() + (1.0 - weight) * said.first.double()
    noisy, first, second = (each.half() for each in (said.noisy, said.first, said.second))
    landed = schedule.ddim(schedule.ddim(noisy, first, level, middle), second, middle, lower)
    share = schedule.sigma(lower) / schedule.sigma(level)
    made: dict[str, Tensor] = {
        "mixture": weight * second + (1.0 - weight) * first,
        "subtraction": (landed - share * noisy) / (schedule.alpha(lower) - share * schedule.alpha(level)),
    }
    return {form: float((made[form].double() - exact).square().mean()) for form in HALF_FORMS}


def summarised(store: ItemStore, ids: Sequence[str]) -> Mapping[str, Any]:
    """Variances per bin and over all, in squared decadic logarithms; root mean square errors of half precision."""
    n_frames = sum(store.meta(id_)["n_frames"] for id_ in ids)
    names = store.arrays(ids[0])
    bins = {name: sum(store.array(id_, name).astype(np.float64) for id_ in ids) / n_frames for name in names}
    half = {form: [store.meta(id_)["half"][form] for id_ in ids] for form in HALF_FORMS}
    return {
        "by_bin": {name: [round(float(value), 6) for value in values] for name, values in bins.items()},
        "mean": {name: float(np.mean(values)) for name, values in bins.items()},
        "half": {form: float(np.mean(values)) ** 0.5 for form, values in half.items()},
    }
