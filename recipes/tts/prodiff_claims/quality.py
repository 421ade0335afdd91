"""How sharp and how wrong held-out mels are, and what is lost beside what a model learns from."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recipes.tts.common.claims.speaking import mel_of, true_batch
from recipes.tts.common.claims.systems import System, write_json
from recipes.tts.prodiff.noised import Noised, noised
from recipes.tts.prodiff_claims.names import COMPARED, LEARNING, RECORDINGS, RELEASED
from recipes.tts.prodiff_claims.systems import finished
from speechkd.losses.masked import masked_l1
from speechkd.metrics.cepstra import mel_distortion_db
from speechkd.metrics.sharpness import laplacian_sharpness
from speechkd.metrics.speech import mel_l1
from speechkd.models.tts.prodiff import ProDiff
from speechkd.runner import Context, Item, ItemStore
from speechkd.training.seeds import derive_seed

Mel = npt.NDArray[np.float32]

_LN10 = math.log(10.0)


def run(cfg: Any, ctx: Context) -> None:
    """Write `quality`: quality.json with the figures of every held-out utterance, by system."""
    there = finished(cfg.systems, *COMPARED)
    learning = {name: there[name] for name in LEARNING if name in there and there[name].has("features", "spoken")}
    ids = {name: each.ids("valid") for name, each in learning.items()}
    items = [(f"{name}--{id_}", (name, id_)) for name in learning for id_ in ids[name]]
    store = ctx.gather(losses, items, "losses", common=learning)
    lost = {name: _columns([store.meta(f"{name}--{id_}") for id_ in ids[name]]) for name in learning}
    stores = samples_of(there)
    said = shared(stores)
    found = spoken(stores, said)
    if "student" in stores and there["student"].has("features", "spoken"):
        found[RELEASED] = as_released(there["student"], said, ctx)
    write_json(ctx.output("quality") / "quality.json", {"systems": found, "losses": lost})


def samples_of(there: Mapping[str, System]) -> dict[str, ItemStore]:
    """What the systems' runs have said, by system."""
    return {name: each.store("samples") for name, each in there.items() if each.has("samples")}


def shared(stores: Mapping[str, ItemStore]) -> list[str]:
    """The held-out utterances that all systems have said."""
    return sorted(set.intersection(*(set(each.ids) for each in stores.values()))) if stores else []


def spoken(stores: Mapping[str, ItemStore], ids: Sequence[str]) -> dict[str, Any]:
    """Sharpness, and errors beside the recordings, of what was said with true durations."""
    found = {name: _columns([errors(store, id_) for id_ in ids]) for name, store in stores.items()}
    for store in list(stores.values())[:1]:  # the recordings are the same in all
        sharp = [laplacian_sharpness(store.array(id_, "mel_recording")) for id_ in ids]
        found[RECORDINGS] = {"sharpness": sharp}
    return found


def as_released(student: System, ids: Sequence[str], ctx: Context) -> dict[str, list[float]]:
    """The student's figures with the sampler of the paper's code."""
    store = ctx.gather(speak_released, [(id_, None) for id_ in ids], "released", common=student)
    return _columns([store.meta(id_) for id_ in ids])


def speak_released(id_: str, _value: None, student: System) -> Item:
    """The figures of one utterance with true durations."""
    model = copy.copy(student.model())  # shares the weights
    model.config = model.config.model_copy(update={"sampler": "released"})
    recorded = student.store("features").arrays(id_)
    return Item(meta=compared_mels(recorded["mel"], mel_of(model, student, id_, recorded["durations"])))


def errors(store: ItemStore, id_: str) -> dict[str, float]:
    """Of one utterance with true durations."""
    return compared_mels(store.array(id_, "mel_recording"), store.array(id_, "mel_true_durations"))


def compared_mels(recorded: Mel, mel: Mel) -> dict[str, float]:
    """How sharp a mel is, and how far from the recorded one of the same timing."""
    return {
        "sharpness": laplacian_sharpness(mel),
        "mel_l1": mel_l1(recorded, mel),
        "mcd_db": mel_distortion_db(recorded, mel),
    }


def losses(_id: str, value: tuple[str, str], systems: Mapping[str, System]) -> Item:
    """Mean |f - y| of a validation utterance over the levels that the model speaks from, in decadic log mels.

    own: y is what the model learns from; recording: y is the recording. Durations, pitch and energy are true.
    """
    name, id_ = value
    model: ProDiff = systems[name].model()
    batch = true_batch(systems[name], [id_])
    rows = []
    for step in model.steps:
        draw = torch.Generator().manual_seed(derive_seed(0, purpose=f"claims noise {id_}"))
        told = noised(batch, 0, torch.tensor([step.level]), draw)
        rows.append(_beside(model, told, systems.get("teacher") if name == "student" else None))
    return Item(meta={kind: float(np.mean([row[kind] for row in rows])) for kind in rows[0]})


@torch.inference_mode()
def _beside(model: ProDiff, told: Noised, teacher: System | None) -> dict[str, float]:
    clean, recorded = model(*told.arguments()).clean, told.mel / _LN10

    def distance(other: Tensor) -> float:
        return float(masked_l1(clean, other, told.mask))

    row = {"recording": distance(recorded)}
    if model.config.stride:
        return row | ({"own": distance(teacher.model().two_steps(*told.arguments()))} if teacher is not None else {})
    return row | {"own": row["recording"]}


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    return {kind: [row[kind] for row in rows] for kind in (rows[0] if rows else ())}
