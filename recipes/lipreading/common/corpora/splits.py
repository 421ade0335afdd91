"""Who is held out. Published splits of GRID let a sentence be said on both sides by different speakers.

`random` keeps all takes of a sentence on one side. `overlapped`, `unseen` and `official` follow the literature, where
sentences may repeat; the report tells how many held-out clips say a sentence of training.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from recipes.lipreading.common.manifest import Clip
from speechkd.data.splits import split_ids
from speechkd.errors import DataError


def split_clips(clips: Sequence[Clip], split: Any) -> dict[str, list[str]]:
    """Sorted ids of train, valid and test by the section `split`. DataError when nothing is left to train on."""
    if split.by == "random":
        return split_ids({clip.id: clip.text for clip in clips}, split.valid, split.test, split.seed)
    if split.by == "official":
        parts = {part: sorted(clip.id for clip in clips if clip.part == part) for part in ("train", "valid", "test")}
    else:
        test = _overlapped(clips, split) if split.by == "overlapped" else _unseen(clips, split)
        rest = _ranked([clip.id for clip in clips if clip.id not in test], split.seed)
        parts = {"train": sorted(rest[split.valid :]), "valid": sorted(rest[: split.valid]), "test": sorted(test)}
    empty = [part for part in ("train", "test") if not parts[part]]
    if empty:
        raise DataError(f"Cannot split {split.by}", why=f"no clip for {' or '.join(empty)}", todo="Split it by random.")
    return parts


def shared_sentences(clips: Sequence[Clip], splits: dict[str, list[str]]) -> int:
    """How many clips of valid and test say a sentence that training has, too."""
    text = {clip.id: clip.text for clip in clips}
    trained = {text[id_] for id_ in splits["train"]}
    return sum(text[id_] in trained for part in ("valid", "test") for id_ in splits[part])


def _overlapped(clips: Sequence[Clip], split: Any) -> set[str]:
    own: dict[str, list[str]] = defaultdict(list)
    for clip in clips:
        own[clip.speaker].append(clip.id)
    return {id_ for ids in own.values() for id_ in _ranked(ids, split.seed)[: split.per_speaker]}


def _unseen(clips: Sequence[Clip], split: Any) -> set[str]:
    return {clip.id for clip in clips if clip.speaker in split.speakers}


def _ranked(ids: Sequence[str], seed: int) -> list[str]:
    return sorted(ids, key=lambda id_: hashlib.sha256(f"{seed}\n{id_}".encode()).digest())
