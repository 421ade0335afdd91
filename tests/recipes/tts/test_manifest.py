"""Reading the manifest artifact without holding it, and the cuts that lhotse would have written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from recipes.tts.common.manifest import Manifest
from speechkd.audio.presets import mel_preset
from speechkd.data.corpus import Corpus, Utterance
from speechkd.data.manifests import write_manifests
from speechkd.errors import ArtifactError
from speechkd.runner import ItemStore, ItemWriter

lhotse = pytest.importorskip("lhotse")
soundfile = pytest.importorskip("soundfile")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Three utterances, the last of two channels."""
    corpus, folder = tmp_path / "corpus", tmp_path / "manifest"
    corpus.mkdir()
    folder.mkdir()
    utterances = []
    for index, channels in enumerate((1, 1, 2)):
        path = corpus / f"u{index}.wav"
        soundfile.write(path, np.zeros((22050 + index, channels)), 22050)
        utterances.append(Utterance(f"u{index}", f"Text {index}: é.", path, index + 1))
    write_manifests(Corpus(corpus, tuple(utterances)), folder)
    (folder / "splits.json").write_text('{"train": ["u0"], "valid": ["u1"], "test": ["u2"]}')
    return Manifest.read(folder)


def test_utterances_can_be_looped_over_again(manifest: Manifest, tmp_path: Path) -> None:
    assert [each.id for each in manifest.utterances] == [each.id for each in manifest.utterances] == ["u0", "u1", "u2"]
    assert [each.text for each in manifest.utterances] == ["Text 0: é.", "Text 1: é.", "Text 2: é."]
    corpus = SimpleNamespace(name="own", dir=tmp_path / "corpus")
    assert all(manifest.audio_path(each, corpus).is_file() for each in manifest.utterances)
    assert manifest.splits["valid"] == ["u1"]


def test_cuts_are_those_of_lhotse(manifest: Manifest, tmp_path: Path) -> None:
    with ItemWriter(tmp_path / "features") as writer:
        for name, n_frames in (("u0", 86), ("u2", 87)):
            writer.add(name, meta={"n_frames": n_frames})
    manifest.write_cuts(tmp_path / "cuts.jsonl", ItemStore(tmp_path / "features"), mel_preset("hifigan_22k"))
    found = list(lhotse.CutSet.from_file(tmp_path / "cuts.jsonl"))
    recordings = lhotse.RecordingSet.from_file(manifest.folder / "recordings.jsonl")
    supervisions = lhotse.SupervisionSet.from_file(manifest.folder / "supervisions.jsonl")
    wanted = {
        cut.recording_id: cut for cut in lhotse.CutSet.from_manifests(recordings=recordings, supervisions=supervisions)
    }
    assert [cut.id for cut in found] == ["u0", "u2"]
    for cut in found:
        assert cut.custom == {"n_frames": {"u0": 86, "u2": 87}[cut.id], "mel": "hifigan_22k"}
        own, theirs = cut.to_dict(), wanted[cut.id].to_dict()
        assert {**theirs, "id": cut.id, "custom": cut.custom} == own
        assert list(own) == [*[key for key in theirs if key != "type"], "custom", "type"]


@pytest.mark.parametrize("damage", ["", "{\n", "short", "swapped"])
def test_manifests_that_do_not_belong_together(manifest: Manifest, damage: str) -> None:
    path = manifest.folder / "recordings.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text({"short": "".join(lines[:-1]), "swapped": "".join(reversed(lines))}.get(damage, damage))
    with pytest.raises(ArtifactError, match="Cannot read the manifests"):
        list(manifest.utterances)
