"""How sharp and how wrong held-out mels are, and what is lost beside what a model learns from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recipes.tts.common.claims.speaking import true_batch
from recipes.tts.common.claims.systems import System, write_json
from recipes.tts.prodiff.noised import Noised, noised
from recipes.tts.prodiff_claims.names import COMPARED, LEARNING, RECORDINGS
from recipes.tts.prodiff_claims.systems import finished
from speechkd.losses.masked import masked_l1
from speechkd.metrics.cepstra import mel_distortion_db
from speechkd.metrics.sharpness import laplacian_sharpness
from speechkd.metrics.speech import mel_l1
from speechkd.models.tts.prodiff import ProDiff
from speechkd.runner import Context, Item, ItemStore
from speechkd.training.seeds import derive_seed

_LN10 = math.log(10.0)


def run(cfg: Any, ctx: Context) -> None:
    """Write `quality`: quality.json with the figures of every held-out utterance, by system."""
    there = finished(cfg.systems, *COMPARED)
    learning = {name: there[name] for name in LEARNING if name in there and there[name].has("features", "spoken")}
    ids = {name: each.ids("valid") for name, each in learning.items()}
    items = [(f"{name}--{id_}", (name, id_)) for name in learning for id_ in ids[name]]
    store = ctx.gather(losses, items, "losses", common=learning)
    lost = {name: _columns([store.meta(f"{name}--{id_}") for id_ in ids[name]]) for name in learning}
    write_json(ctx.output("quality") / "quality.json", {"systems": spoken(there), "losses": lost})


def spoken(there: Mapping[str, System]) -> dict[str, Any]:
    """Sharpness, and errors beside the recordings, of what the systems' runs have said with true durations."""
    stores = {name: each.store("samples") for name, each in there.items() if each.has("samples")}
    ids = shared(stores)
    found = {name: _columns([errors(store, id_) for id_ in ids]) for name, store in stores.items()}
    if stores:
        recordings = next(iter(stores.values()))
        sharp = [laplacian_sharpness(recordings.array(id_, "mel_recording")) for id_ in ids]
        found[RECORDINGS] = {"sharpness": sharp}
    return found


def shared(stores: Mapping[str, ItemStore]) -> list[str]:
    """The held-out utterances that all systems have said."""
    return sorted(set.intersection(*(set(each.ids) for each in stores.values()))) if stores else []


def errors(store: ItemStore, id_: str) -> dict[str, float]:
    """Of one utterance with true durations."""
    mel, recorded = store.array(id_, "mel_true_durations"), store.array(id_, "mel_recording")
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
