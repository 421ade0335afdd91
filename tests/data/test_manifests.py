"""Manifests: what lhotse itself reads from them, the same bytes twice, and honest errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recipes.tts.common.corpora import read_ljspeech
from speechkd.data.manifests import read_manifests, write_manifests
from speechkd.errors import ArtifactError

lhotse = pytest.importorskip("lhotse")


def test_round_trip_and_what_lhotse_sees(make_corpus: Any, tmp_path: Path) -> None:
    corpus = read_ljspeech(make_corpus(5))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_manifests(corpus, tmp_path / name)
    for file in ("recordings.jsonl", "supervisions.jsonl"):
        data = (tmp_path / "a" / file).read_bytes()
        assert data == (tmp_path / "b" / file).read_bytes()
        assert str(tmp_path).encode() not in data
    again = read_manifests(tmp_path / "a", corpus.folder)
    assert [(u.id, u.text, u.audio_path, u.line) for u in again] == [
        (u.id, u.text, u.audio_path, u.line) for u in corpus.utterances
    ]
    assert all(u.duration_s == 1.0 for u in again)
    recordings = lhotse.RecordingSet.from_file(tmp_path / "a" / "recordings.jsonl").with_path_prefix(corpus.folder)
    supervisions = lhotse.SupervisionSet.from_file(tmp_path / "a" / "supervisions.jsonl")
    lhotse.validate_recordings_and_supervisions(recordings, supervisions)
    assert next(iter(recordings)).load_audio().shape == (1, 22050)


def test_missing_or_damaged(make_corpus: Any, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="Cannot read the manifests"):
        read_manifests(tmp_path, tmp_path)
    write_manifests(read_ljspeech(make_corpus(2)), tmp_path)
    (tmp_path / "recordings.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(ArtifactError):
        read_manifests(tmp_path, tmp_path)
