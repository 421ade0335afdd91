"""The stages prepare and crops through the runner: the same bytes for any number of workers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from recipes.lipreading.common.crops import Sources, crop_clip
from recipes.lipreading.common.manifest import Clip, ClipManifest
from recipes.lipreading.common.options import CorpusSection, RunSection, SplitSection, VideoSection
from recipes.lipreading.common.stages import crops, prepare
from speechkd.config import Config, load_config
from speechkd.errors import ConfigError, DataError
from speechkd.features.mouth.crops import crop_mouths
from speechkd.features.mouth.films import FilmOptions
from speechkd.features.mouth.tracking import track_mouth
from speechkd.features.mouth.video import read_video
from speechkd.runner import ItemStore, Recipe, RunOptions, run_recipe
from tests.features.mouth.films import grey_steps, write_film


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


class OneFace:
    """Finds the same face in every frame."""

    def faces(self, frame: np.ndarray) -> np.ndarray:
        return np.array([[16.0, 4.0, 30.0, 30.0]])


@pytest.mark.parametrize("fixed", [True, False])
def test_a_film_goes_through_the_mouth_tracker(fixed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real film, and a face where it is said to be: one window and windows that follow are then the same."""
    monkeypatch.setattr("speechkd.features.mouth.films.HaarFaces", OneFace)
    film = write_film(tmp_path / "a.avi", grey_steps(12))
    item = crop_clip("a", Clip("a", "s1", "bin", "a.avi"), Sources("grid", tmp_path, FilmOptions((8, 16), fixed), 0))
    frames = read_video(film).frames
    expected = crop_mouths(frames, track_mouth(frames, OneFace()), (8, 16), fixed=True)
    assert item.meta["n_frames"] == 12 and np.array_equal(item.arrays["frames"], expected)


def test_a_film_without_a_face_is_named(tmp_path: Path) -> None:
    write_film(tmp_path / "a.avi", grey_steps(12))
    with pytest.raises(DataError, match=r"a\.avi"):
        crop_clip("a", Clip("a", "s1", "bin", "a.avi"), Sources("grid", tmp_path, FilmOptions((8, 16)), 0))


@pytest.mark.parametrize(
    "corpus",
    [
        {"name": "talker", "dir": "x"},
        {"name": "talker", "options": {"train": "many"}},
        {"name": "lrw1000", "dir": "x", "options": {"boundary": "wide"}},
        {"name": "grid", "dir": "x", "options": {"odd": "1"}},
    ],
)
def test_what_a_corpus_cannot_be_told(tmp_path: Path, corpus: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        loaded(tmp_path, run={"dir": "run"}, corpus=corpus)
