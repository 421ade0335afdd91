"""Reading the `manifest` artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Clip:
    """A clip, who speaks in it, and what is said."""

    id: str
    speaker: str
    text: str


@dataclass(frozen=True)
class ClipManifest:
    """Clips sorted by id, and the ids of `train`, `valid` and `test`."""

    clips: tuple[Clip, ...]
    splits: Mapping[str, list[str]]

    @classmethod
    def read(cls, folder: Path) -> ClipManifest:
        """The manifest in a folder."""
        rows = [json.loads(line) for line in (folder / "clips.jsonl").read_text(encoding="utf-8").splitlines()]
        clips = tuple(Clip(row["id"], row["speaker"], row["text"]) for row in rows)
        return cls(clips, json.loads((folder / "splits.json").read_text(encoding="utf-8")))
