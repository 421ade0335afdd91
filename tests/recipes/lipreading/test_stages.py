"""The stages prepare and crops through the runner: the same bytes for any number of workers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from recipes.lipreading.common import crops as crops_module
from recipes.lipreading.common.crops import Sources, crop_clip
from recipes.lipreading.common.manifest import Clip, ClipManifest
from recipes.lipreading.common.options import CorpusSection, RunSection, SplitSection, VideoSection
from recipes.lipreading.common.stages import crops, prepare
from speechkd.config import Config, load_config
from speechkd.errors import ConfigError
from speechkd.runner import ItemStore, Recipe, RunOptions, run_recipe


class _Config(Config):
    recipe: str = "lipreading/test"
    run: RunSection
    corpus: CorpusSection
    split: SplitSection = SplitSection()
    video: VideoSection = VideoSection()


RECIPE = Recipe("lipreading/test", _Config, (prepare, crops), run_dir=lambda cfg: cfg.run.dir)


def loaded(folder: Path, **sections: dict[str, Any]) -> Any:
    lines = [f"{name}: {json.dumps(values)}" for name, values in sections.items()]
    (folder / "conf.yaml").write_text("\n".join(lines), encoding="utf-8")
    return load_config(folder / "conf.yaml", _Config)


def talked(folder: Path, name: str, jobs: int) -> Path:
    corpus = {"name": "talker", "options": {"train": "9", "valid": "2", "test": "4"}}
    video = {"height": 24, "width": 24}
    cfg = loaded(folder, run={"dir": name}, corpus=corpus, split={"by": "official"}, video=video)
    run_recipe(RECIPE, cfg, RunOptions(jobs=jobs), Console(file=io.StringIO()))
    return folder / name


def test_one_and_two_workers_write_the_same(tmp_path: Path) -> None:
    one, two = talked(tmp_path, "one", 1), talked(tmp_path, "two", 2)
    files = sorted(path.relative_to(one) for path in (one / "crops").rglob("*.safetensors"))
    assert files and all((one / path).read_bytes() == (two / path).read_bytes() for path in files)
    manifest, store = ClipManifest.read(one / "manifest"), ItemStore(one / "crops")
    assert {part: len(ids) for part, ids in manifest.splits.items()} == {"train": 9, "valid": 2, "test": 4}
    for clip in manifest.clips:
        meta = store.meta(clip.id)
        assert meta["text"] == clip.text and meta["speaker"] == clip.speaker and meta["fps"] == 25
        assert store.array(clip.id, "frames").shape == (meta["n_frames"], 24, 24)


def test_a_film_goes_through_the_mouth_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def found(path: Path, size: tuple[int, int]) -> np.ndarray:
        asked.append((path, size))
        return np.full((3, *size), 7, np.uint8)

    monkeypatch.setattr(crops_module, "crops_of_video", found)
    clip = Clip("a", "s1", "bin", "s1/a.mpg")
    item = crop_clip("a", clip, Sources("grid", Path("GRID"), (8, 16), 0))
    assert asked == [(Path("GRID/s1/a.mpg"), (8, 16))] and item.arrays["frames"].shape == (3, 8, 16)


@pytest.mark.parametrize(
    "corpus",
    [
        {"name": "talker", "dir": "x"},
        {"name": "grid"},
        {"name": "talker", "options": {"train": "many"}},
        {"name": "lrw1000", "dir": "x", "options": {"boundary": "wide"}},
        {"name": "grid", "dir": "x", "options": {"odd": "1"}},
    ],
)
def test_what_a_corpus_cannot_be_told(tmp_path: Path, corpus: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        loaded(tmp_path, run={"dir": "run"}, corpus=corpus)
