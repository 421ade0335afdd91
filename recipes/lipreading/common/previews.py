"""What to look at before training: a sheet of mouths of every speaker, and the films in which the face was lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from recipes.lipreading.common.crops import Sources, ready_crops, sources_of
from recipes.lipreading.common.manifest import Clip, ClipManifest
from speechkd.features.mouth.films import film_mouth, film_notes
from speechkd.features.mouth.preview import crop_sheet
from speechkd.features.mouth.tracking import n_lost
from speechkd.runner import Context, Item, ItemStore

INDEX = "previews.json"
_LOGGED = 20


def write_previews(cfg: Any, ctx: Context) -> None:
    """Write `previews`: a picture per speaker, and previews.json, which names them and lists incomplete films.

    `crops` must be filled.
    """
    crops, sources = ItemStore(ctx.output("crops")), sources_of(cfg)
    clips = [clip for clip in ClipManifest.read(ctx.input("manifest")).clips if clip.id in crops]
    shown = first_of_speakers(clips)
    sheets = ctx.gather(sheet_item, [(clip.id, clip) for clip in shown], "sheets", common=sources)
    films = incomplete(crops) if sources.films else []
    index = {"speakers": _write_sheets(shown, sheets, ctx.output("previews")), "films": films}
    (ctx.output("previews") / INDEX).write_text(json.dumps(index, indent=1, sort_keys=True), encoding="utf-8")
    for row in films[:_LOGGED]:
        ctx.log.warning("%s: %s", row["clip"], film_line(row))
    if len(films) > _LOGGED:
        ctx.log.warning("and %d more films: see %s", len(films) - _LOGGED, INDEX)


def first_of_speakers(clips: list[Clip]) -> list[Clip]:
    """The first clip of every speaker."""
    first: dict[str, Clip] = {}
    for clip in clips:
        first.setdefault(clip.speaker, clip)
    return list(first.values())


def sheet_item(_id: str, clip: Clip, sources: Sources) -> Item:
    """A sheet of a clip's mouths, below a frame where there is a film: "picture" (height, width, 3) in RGB."""
    if sources.films:
        sheet = film_mouth(sources.folder / clip.source, sources.video).sheet
    else:
        sheet = crop_sheet(ready_crops(clip, sources))
    return Item({"picture": np.ascontiguousarray(sheet[:, :, ::-1])})


def _write_sheets(clips: list[Clip], sheets: ItemStore, out: Path) -> list[dict[str, str]]:
    """Speakers may have any name: files have numbers."""
    rows = []
    for number, clip in enumerate(clips, start=1):
        name = f"{number:04d}.png"
        Image.fromarray(sheets.array(clip.id, "picture")).save(out / name)
        rows.append({"speaker": clip.speaker, "clip": clip.id, "picture": name})
    return rows


def incomplete(crops: ItemStore) -> list[dict[str, Any]]:
    """The films in which the face was lost or frames are missing, the worst first."""
    rows = []
    for id_ in crops.ids:
        meta = crops.meta(id_)
        if meta["lost"] or meta["missing"]:
            rows.append({"clip": id_, **{name: meta[name] for name in ("n_frames", "lost", "missing")}})
    return sorted(rows, key=lambda row: (-n_lost(row["lost"]) - row["missing"], row["clip"]))


def film_line(row: Mapping[str, Any]) -> str:
    """What is not as it should be in a film."""
    return "; ".join(film_notes(row["lost"], row["missing"], row["n_frames"]))
