"""Reading the `manifest` artifact: utterances, where their recordings are, and who is held out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from speechkd.audio.presets import MelPreset
from speechkd.data.corpus import Utterance
from speechkd.data.manifests import iter_manifests, iter_rows
from speechkd.runner import ItemStore

SPLITS = "splits.json"


@dataclass(frozen=True)
class Utterances:
    """The utterances of a manifest, sorted by id: read anew, one at a time, in every loop."""

    folder: Path

    def __iter__(self) -> Iterator[Utterance]:
        return iter_manifests(self.folder, Path())


@dataclass(frozen=True)
class Manifest:
    """Utterances sorted by id, and the ids of `train`, `valid` and `test`; both are read when they are asked for."""

    folder: Path

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest in a folder."""
        return cls(folder)

    @property
    def utterances(self) -> Utterances:
        """All utterances, to loop over."""
        return Utterances(self.folder)

    @cached_property
    def splits(self) -> Mapping[str, list[str]]:
        """The ids of `train`, `valid` and `test`."""
        splits: dict[str, list[str]] = json.loads((self.folder / SPLITS).read_text(encoding="utf-8"))
        return splits

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks, sorted: the place of a name is the speaker's number. ("",) in a corpus of one voice."""
        return tuple(sorted({utterance.speaker for utterance in self.utterances}))

    def speaker_numbers(self) -> dict[str, int]:
        """The number of the speaker of each utterance."""
        number = {speaker: index for index, speaker in enumerate(self.speakers)}
        return {utterance.id: number[utterance.speaker] for utterance in self.utterances}

    def audio_path(self, utterance: Utterance, corpus: Any) -> Path:
        """Where an utterance's recording is. corpus: the config's section, of which name and dir are read."""
        return corpus_folder(corpus, self.folder) / utterance.audio_path

    def write_cuts(self, path: Path, features: ItemStore, preset: MelPreset) -> None:
        """A lhotse CutSet of the extracted utterances, for other toolkits; audio paths are relative to the corpus.

        Written from the manifests' own lines: loading lhotse and its objects takes longer than a small extraction.
        """
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            for recording, supervision in iter_rows(self.folder):
                if recording["id"] in features:
                    custom = {"n_frames": features.meta(recording["id"])["n_frames"], "mel": preset.name}
                    file.write(json.dumps(_cut(recording, supervision, custom), ensure_ascii=False) + "\n")


def _cut(recording: dict[str, Any], supervision: dict[str, Any], custom: dict[str, Any]) -> dict[str, Any]:
    """lhotse's cut of a whole recording, as it writes it."""
    channels = recording["channel_ids"]
    return {
        "id": recording["id"],
        "start": 0,
        "duration": recording["duration"],
        "channel": channels[0] if len(channels) == 1 else channels,
        "supervisions": [supervision],
        "recording": recording,
        "custom": custom,
        "type": "MonoCut" if len(channels) == 1 else "MultiCut",
    }


def corpus_folder(corpus: Any, manifest: Path) -> Path:
    """The corpus on this machine: the folder given, the manifest itself for the mini corpus, else the downloads."""
    from recipes.tts.common.corpora import locate

    if corpus.name == "mini":
        return manifest
    return locate(corpus.name, corpus.dir, download_cache())


def download_cache() -> Path:
    """Where downloaded corpora are kept: $XDG_CACHE_HOME/speechkd/corpora."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "speechkd" / "corpora"
