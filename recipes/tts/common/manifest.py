"""Reading the `manifest` artifact: utterances, where their recordings are, and who is held out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechkd.audio.presets import MelPreset
from speechkd.data.corpus import Utterance
from speechkd.data.manifests import read_manifests

SPLITS = "splits.json"


@dataclass(frozen=True)
class Manifest:
    """Utterances sorted by id, and the ids of `train`, `valid` and `test`."""

    folder: Path
    utterances: tuple[Utterance, ...]
    splits: Mapping[str, list[str]]

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the artifact."""
        splits = json.loads((folder / SPLITS).read_text(encoding="utf-8"))
        return cls(folder, tuple(read_manifests(folder, Path())), splits)

    def audio_path(self, utterance: Utterance, corpus: Any) -> Path:
        """Where an utterance's recording is. corpus: the config's section, of which name and dir are read."""
        return corpus_folder(corpus, self.folder) / utterance.audio_path

    def write_cuts(self, path: Path, n_frames: Mapping[str, int], preset: MelPreset) -> None:
        """A lhotse CutSet of the extracted utterances, for other toolkits; audio paths are relative to the corpus."""
        from lhotse import CutSet, RecordingSet, SupervisionSet

        recordings = RecordingSet.from_file(self.folder / "recordings.jsonl")
        supervisions = SupervisionSet.from_file(self.folder / "supervisions.jsonl")
        cuts = CutSet.from_manifests(
            recordings=RecordingSet.from_recordings(each for each in recordings if each.id in n_frames),
            supervisions=SupervisionSet.from_segments(each for each in supervisions if each.id in n_frames),
        )

        def described(cut: Any) -> Any:
            cut.id = cut.recording_id
            cut.custom = {"n_frames": n_frames[cut.recording_id], "mel": preset.name}
            return cut

        CutSet.from_cuts(described(cut) for cut in cuts).to_file(path)


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
