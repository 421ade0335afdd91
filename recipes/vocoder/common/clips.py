"""Reading the `manifest` artifact of the vocoder recipes: the clips of one or several corpora.

Every corpus has a folder of its own in it, laid out as in the text-to-speech recipes. A clip's id is the corpus's name,
two hyphens, and the id within the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from recipes.tts.common.manifest import Manifest
from speechkd.data.corpus import Utterance

_BETWEEN = "--"


def clip_id(corpus: str, utterance: str) -> str:
    """The id of a corpus's utterance among the clips of all corpora; fit to be a file name."""
    return f"{corpus}{_BETWEEN}{utterance}"


@dataclass(frozen=True)
class Clips:
    """The clips of a manifest. corpora: the config's sections, of which name and dir are read."""

    folder: Path
    corpora: tuple[Any, ...]

    @classmethod
    def read(cls, folder: Path, corpora: Any) -> Clips:
        """The clips in a folder."""
        return cls(folder, tuple(corpora))

    def __iter__(self) -> Iterator[tuple[str, Path]]:
        """Ids and recordings, one corpus after the other, sorted by id within each."""
        return ((id_, path) for id_, path, _ in self.utterances())

    def utterances(self) -> Iterator[tuple[str, Path, Utterance]]:
        """Id, recording, and the utterance as its corpus has it."""
        for corpus in self.corpora:
            manifest = Manifest.read(self.folder / corpus.name)
            for each in manifest.utterances:
                yield clip_id(corpus.name, each.id), manifest.audio_path(each, corpus), each

    @cached_property
    def splits(self) -> dict[str, list[str]]:
        """The sorted ids of `train`, `valid` and `test`, over all corpora."""
        parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
        for corpus in self.corpora:
            splits = Manifest.read(self.folder / corpus.name).splits
            for part, ids in parts.items():
                ids += [clip_id(corpus.name, id_) for id_ in splits[part]]
        return {part: sorted(ids) for part, ids in parts.items()}
