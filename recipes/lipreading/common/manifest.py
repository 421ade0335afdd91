"""The `manifest` artifact of lip reading: clips, where their films are, and who is held out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

CLIPS, SPLITS, REPORT = "clips.jsonl", "splits.json", "report.json"

#: Start and end in frames of 25 to the second (the end is not within), and the word.
Words = tuple[tuple[float, float, str], ...]
_SILENCES = ("sil", "sp")


@dataclass(frozen=True)
class Clip:
    """A film and what is said in it. source: path in the corpus; part: train, valid or test as published, or ""."""

    id: str
    speaker: str
    text: str
    source: str
    words: Words = ()
    part: str = ""


@dataclass(frozen=True)
class Corpus:
    """What a reader found: clips, and one line for each thing that is wrong and is left out."""

    clips: tuple[Clip, ...]
    problems: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class ClipManifest:
    """Clips sorted by id, and the ids of each part of the split."""

    clips: tuple[Clip, ...]
    splits: Mapping[str, list[str]]

    @classmethod
    def read(cls, folder: Path) -> ClipManifest:
        """The manifest in a folder."""
        lines = (folder / CLIPS).read_text(encoding="utf-8").splitlines()
        splits = json.loads((folder / SPLITS).read_text(encoding="utf-8"))
        return cls(tuple(map(_clip, map(json.loads, lines))), splits)


def write_manifest(
    clips: Sequence[Clip], splits: Mapping[str, list[str]], report: Mapping[str, Any], folder: Path
) -> None:
    """Write clips.jsonl, splits.json and report.json into `folder`."""
    lines = (json.dumps(asdict(clip), ensure_ascii=False) + "\n" for clip in sorted(clips, key=lambda each: each.id))
    (folder / CLIPS).write_text("".join(lines), encoding="utf-8")
    for name, content in ((SPLITS, splits), (REPORT, report)):
        (folder / name).write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")


def normalise_text(text: str) -> str:
    """Lower case, letters a to z and single spaces; the silences SIL and SP are removed."""
    words = re.sub(r"[^a-z\s]", "", text.lower()).split()
    return " ".join(word for word in words if word not in _SILENCES)


def _clip(row: dict[str, Any]) -> Clip:
    words = tuple((float(start), float(end), str(word)) for start, end, word in row["words"])
    return Clip(row["id"], row["speaker"], row["text"], row["source"], words, row["part"])
