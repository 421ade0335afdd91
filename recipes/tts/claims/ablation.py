"""Mel losses of all systems in evaluation mode and one unit: the mean absolute error per frame and bin.

own: beside what the system learns from, with its durations and, for FastSpeech 2, true pitch and energy.
predicted: beside recordings with true durations, pitch and energy as the model predicts them.
recording: a student of a teacher beside recordings, with the durations of the teacher-forced pass over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recipes.tts.claims.systems import finished
from recipes.tts.common.claims.speaking import spoken_mel, with_true_variances
from recipes.tts.common.claims.systems import System, spread, write_json
from speechkd.metrics.speech import mel_l1
from speechkd.runner import Context, Item, ItemStore

KINDS = ("fastspeech", "fastspeech2")
SPLITS = ("train", "valid")


def run(cfg: Any, ctx: Context) -> None:
    """Write `mel_losses`: an item per system and utterance; and `ablation`: ablation.json."""
    there = {name: each for name, each in finished(cfg.systems).items() if each.has("features", "spoken", "manifest")}
    there = {name: each for name, each in there.items() if each.model().kind in KINDS}
    items = []
    for name, system in there.items():
        for split in SPLITS:
            limit = cfg.ablation.train_utterances if split == "train" else 0
            items += [(f"{name}--{id_}", (name, split, id_)) for id_ in learnt(system, split, limit)]
    ctx.map(measure, items, "mel_losses", common=there)
    store = ItemStore(ctx.output("mel_losses"))
    rows: dict[str, dict[str, list[dict[str, float]]]] = {}
    for key, (name, split, _) in items:
        rows.setdefault(name, {}).setdefault(split, []).append(store.meta(key))
    found = {name: {split: means(each) for split, each in parts.items()} for name, parts in rows.items()}
    write_json(ctx.output("ablation") / "ablation.json", {"systems": found})


def learnt(system: System, split: str, limit: int) -> list[str]:
    """The utterances of a split that a system learns from, evenly spread."""
    ids = system.ids(split)
    if system.has("targets"):
        known = set(system.store("targets").ids)
        ids = [id_ for id_ in ids if id_ in known]
    return spread(ids, limit)


def measure(_id: str, value: tuple[str, str, str], systems: Mapping[str, System]) -> Item:
    """The errors of one utterance, by what it is compared with."""
    name, _, id_ = value
    system = systems[name]
    model = system.model()
    recorded = system.store("features").arrays(id_)
    if model.kind == "fastspeech":
        store = system.store("targets") if system.has("targets") else system.store("features")
        target = store.arrays(id_)
        row = {"own": mel_l1(target["mel"], spoken_mel(system, id_, target["durations"]))}
        if system.has("forced") and id_ in system.store("forced"):
            forced = system.store("forced").array(id_, "durations")
            row["recording"] = mel_l1(recorded["mel"], spoken_mel(system, id_, forced))
        return Item(meta=row)
    return Item(
        meta={
            "own": mel_l1(recorded["mel"], with_true_variances(system, id_)),
            "predicted": mel_l1(recorded["mel"], spoken_mel(system, id_, recorded["durations"])),
        }
    )


def means(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Column means over the utterances that have the column."""
    names = sorted({name for row in rows for name in row})
    known = {name: [row[name] for row in rows if name in row] for name in names}
    return {"utterances": len(rows)} | {name: float(np.mean(values)) for name, values in known.items()}
