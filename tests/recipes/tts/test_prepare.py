"""The stage prepare on corpora of many speakers: the reader's options, the ways to split, and the table of speakers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from recipes.tts.common.manifest import Manifest
from recipes.tts.fastspeech2 import RECIPE
from speechkd.config import load_config
from speechkd.errors import ConfigError
from speechkd.runner import RunOptions, run_recipe
from tests.recipes.tts.published import make_libritts, make_vctk

ROOT = Path(__file__).resolve().parents[3]


def prepared(folder: Path, corpus: dict[str, Any], split: dict[str, Any]) -> Manifest:
    sections = {"corpus": corpus, "split": split, "run": {"dir": "run"}, "pack": {"name": "x"}}
    lines = [f"{name}: {json.dumps(values)}" for name, values in sections.items()]
    base = f"base: {ROOT}/recipes/tts/fastspeech2/conf/small.yaml"
    (folder / "conf.yaml").write_text("\n".join([base, *lines]), encoding="utf-8")
    cfg = load_config(folder / "conf.yaml", RECIPE.config)
    run_recipe(RECIPE, cfg, RunOptions(stop_stage="prepare"), Console(file=io.StringIO()))
    return Manifest.read(folder / "run" / "manifest")


def test_unseen_speakers_of_vctk(tmp_path: Path) -> None:
    make_vctk(tmp_path / "vctk", ("p225", "p226", "p227"), n_own=3)
    corpus = {"name": "vctk", "dir": "vctk", "options": {"mic": "mic2"}}
    manifest = prepared(tmp_path, corpus, {"by": "speaker", "valid": 2, "test": 3})
    owner = {each.id: each.speaker for each in manifest.utterances}
    assert {each.audio_path.stem[-4:] for each in manifest.utterances} == {"mic2"}
    sides = [{owner[id_] for id_ in manifest.splits[part]} for part in ("train", "valid", "test")]
    assert [len(side) for side in sides] == [1, 1, 1] and len(set().union(*sides)) == 3
    assert sum(map(len, manifest.splits.values())) == len(owner) == 21
    assert manifest.speakers == ("p225", "p226", "p227") and manifest.speaker_numbers()["p226_001"] == 1
    table = json.loads((manifest.folder / "speakers.json").read_text(encoding="utf-8"))
    assert table[0] == {
        "id": "p225", "utterances": 7, "age": "20", "gender": "F", "accent": "English", "region": "Southern  England",
    }  # fmt: skip


def test_the_parts_of_libritts(tmp_path: Path) -> None:
    make_libritts(tmp_path / "LibriTTS")
    manifest = prepared(tmp_path, {"name": "libritts", "dir": "LibriTTS"}, {"by": "official"})
    assert {id_.split("_")[0] for id_ in manifest.splits["test"]} == {"1089"}
    assert {id_.split("_")[0] for id_ in manifest.splits["valid"]} == {"84"}


def test_an_option_that_is_none(tmp_path: Path) -> None:
    make_vctk(tmp_path / "vctk")
    with pytest.raises(ConfigError, match="no such option; it has: mic"):
        prepared(tmp_path, {"name": "vctk", "dir": "vctk", "options": {"mike": "mic1"}}, {})
