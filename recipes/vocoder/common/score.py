"""Measuring the copies of the held-out clips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recipes.vocoder.common.infer import COPY, RECORDING, SYSTEMS
from speechkd.audio.io import read_audio
from speechkd.audio.presets import MelPreset, mel_preset
from speechkd.metrics.vocoder import vocoder_distance
from speechkd.runner import Context, Item, ItemStore

Row = dict[str, Any]


def run(cfg: Any, ctx: Context) -> None:
    """Write `scores`: an item per clip with its figures per system, and scores.json with their means."""
    samples = ctx.input("samples")
    ids = sorted(path.stem for path in (samples / COPY).glob("*.wav"))
    common = (samples, tuple(folder for folder, _ in systems(samples)[1:]), mel_preset(cfg.audio.mel), cfg.score)
    ctx.map(_score, [(id_, None) for id_ in ids], "scores", common=common)
    out = ctx.output("scores")
    rows = [ItemStore(out).meta(id_) for id_ in ids]
    (out / "scores.json").write_text(json.dumps(summarise(rows), indent=1, sort_keys=True), encoding="utf-8")


def systems(samples: Path) -> list[tuple[str, str]]:
    """Folder and title of every system, the recordings first."""
    return [(folder, title) for folder, title in json.loads((samples / SYSTEMS).read_text(encoding="utf-8"))]


def _score(id_: str, _: None, common: tuple[Path, Sequence[str], MelPreset, Any]) -> Item:
    samples, folders, preset, how = common
    recording = read_audio(samples / RECORDING / f"{id_}.wav").samples
    row = {}
    for folder in folders:
        path = samples / folder / f"{id_}.wav"
        if path.is_file():  # not every clip has a predicted mel
            copy = read_audio(path).samples
            row[folder] = vars(vocoder_distance(recording, copy, preset, how.pesq, how.stoi))
    return Item(meta=row)


def summarise(rows: Sequence[Row]) -> Row:
    """Means over the clips per system, and how many clips each has."""
    summary: Row = {"clips": len(rows)}
    for folder in sorted({folder for row in rows for folder in row}):
        found = [row[folder] for row in rows if folder in row]
        means = {name: _mean([each[name] for each in found]) for name in found[0]}
        summary[folder] = means | {"clips": len(found)}
    return summary


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
