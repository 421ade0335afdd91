"""Films in the recipe: lost faces are listed, speakers are shown, and films beside transcripts are read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipes.lipreading.common.corpora.films import read_films
from recipes.lipreading.common.pages import previews_part
from recipes.lipreading.pcpg.evaluate import FILMS, read_sentences
from speechkd.errors import DataError, StageError
from speechkd.models.lipreading.films import FilmReader
from speechkd.runner import RunOptions, run_recipe
from tests.features.mouth.films import grey_steps, write_film
from tests.recipes.lipreading.talking import run
from tests.recipes.lipreading.test_stages import RECIPE, Console, io, loaded


class LightFaces:
    """The same face in every frame that is not black."""

    def faces(self, frame: np.ndarray) -> np.ndarray:
        return np.array([[16.0, 4.0, 30.0, 30.0]])[: int(frame.mean() > 20)]


@pytest.fixture(autouse=True)
def faces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("speechkd.features.mouth.films", "speechkd.models.lipreading.films"):
        monkeypatch.setattr(f"{module}.HaarFaces", LightFaces)


def film(path: Path, dark: slice = slice(0), n_frames: int = 40) -> Path:
    frames = grey_steps(n_frames)
    frames[dark] = 0
    return write_film(path, frames)


def cropped(folder: Path, max_errors: int = 0, **video: object) -> Path:
    """Four films of two speakers through the stages prepare and crops."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for name, dark in (("a", slice(0)), ("b", slice(9, 27)), ("c", slice(30, 40)), ("d", slice(9, 40))):
        film(corpus / f"{name}.avi", dark)
    lines = ["a|bin blue|../eve", "b|lay red|../eve", "c|set white|<bob>", "d|place green|<bob>"]
    (corpus / "metadata.csv").write_text("\n".join(lines))
    cfg = loaded(
        folder,
        run={"dir": "run", "max_errors": max_errors},
        corpus={"name": "video_text", "dir": "corpus"},
        split={"valid": 1, "test": 1},
        video={"height": 8, "width": 16, **video},
    )
    run_recipe(RECIPE, cfg, RunOptions(), Console(file=io.StringIO()))
    return folder / "run"


def test_films_mostly_without_a_face_are_errors_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"d.avi: the face is mostly lost: no face in frames 9-39 \(31 of 40\)"):
        cropped(tmp_path)


def test_they_may_be_taken_if_the_configuration_says_so(tmp_path: Path) -> None:
    found = cropped(tmp_path, most_lost=0.8)
    rows = json.loads((found / "previews/previews.json").read_text())["films"]
    assert [row["clip"] for row in rows] == ["d", "b", "c"]


def test_lost_frames_are_listed_and_every_speaker_is_shown(tmp_path: Path) -> None:
    found = cropped(tmp_path, max_errors=1)
    index = json.loads((found / "previews/previews.json").read_text())
    assert index["films"] == [
        {"clip": "b", "n_frames": 40, "lost": [[9, 27]], "missing": 0},
        {"clip": "c", "n_frames": 40, "lost": [[36, 40]], "missing": 0},
    ]
    log = (found / "logs/02_crops.log").read_text()
    assert "b: no face in frames 9-26 (18 of 40)" in log and "c: no face in frames 36-39 (4 of 40)" in log
    assert "crops: 3 of 4 items, 1 failed" in log
    assert [(row["speaker"], row["clip"]) for row in index["speakers"]] == [("../eve", "a"), ("<bob>", "c")]
    # Below the frame of 64 x 48 five rows of five mouths of 16 x 8, with gaps of 4.
    assert Image.open(found / "previews" / index["speakers"][0]["picture"]).size == (5 * 20, 48 + 4 + 5 * 12)


def test_the_page_shows_speakers_and_lists_films_of_any_name(tmp_path: Path) -> None:
    found = cropped(tmp_path, max_errors=1)
    (tmp_path / "pictures").mkdir()
    part = previews_part(found / "previews", tmp_path / "pictures")
    assert "&lt;bob&gt;, clip c" in part and "<bob>" not in part
    assert "<li>b: no face in frames 9-26 (18 of 40)</li>" in part
    for path in (tmp_path / "pictures").iterdir():
        assert f'src="pictures/{path.name}"' in part
    assert len(list((tmp_path / "pictures").iterdir())) == 2


def test_films_stand_beside_their_transcripts(tmp_path: Path) -> None:
    (tmp_path / "raw/s2").mkdir(parents=True)
    for name in ("raw/a.mpg", "raw/s2/b.MP4", "raw/c.avi", "raw/d.avi", "raw/notes.pdf"):
        (tmp_path / name).touch()
    (tmp_path / "raw/a.align").write_text("0 1000 sil\n1000 9000 bin\n9000 20000 blue\n")
    (tmp_path / "raw/s2/b.txt").write_text("Lay RED, at\n")
    (tmp_path / "raw/c.txt").write_text("...\n")
    (tmp_path / "raw/d.align").write_text("words\n")
    found = read_films(tmp_path / "raw")
    assert [(clip.id, clip.text, clip.source) for clip in found.clips] == [
        ("raw_a", "bin blue", "a.mpg"), ("raw_s2_b", "lay red at", "s2/b.MP4")
    ]  # fmt: skip
    assert [line.split(": ")[:2] for line in found.problems] == [
        ["c.avi", "has no .align, and no .txt with words, beside it"], ["d.avi", "not lines of `start end word`"]
    ]  # fmt: skip


def test_films_are_read_as_by_the_command_and_get_rows_in_the_table(tmp_path: Path) -> None:
    run(tmp_path, "run")
    assert not (tmp_path / "run/decoded" / FILMS).exists()
    (tmp_path / "own").mkdir()
    for name, text, dark in (("x", "cab", slice(0)), ("y", "a cab", slice(9, 18)), ("untold", "", slice(0))):
        film(tmp_path / f"own/{name}.avi", dark)
        (tmp_path / f"own/{name}.txt").write_text(text)
    told = run(tmp_path, "run", f"films=[{tmp_path}/own]")
    assert "stage 3 train: fresh" in told and "left out: untold.avi: has no .align" in told
    rows = read_sentences(tmp_path / "run/decoded", FILMS)
    assert [(row["id"], row["text"]) for row in rows] == [("own_x", "cab"), ("own_y", "a cab")]
    reader = FilmReader(tmp_path / "run/model")
    for row in rows:
        # The recipe keeps the spaces that a model at chance writes at the ends.
        assert row["beam"].split() == reader.read(tmp_path / f"own/{row['id'][4:]}.avi").reading.text.split()
    scores = json.loads((tmp_path / "run/decoded/scores.json").read_text())["films"]
    assert (scores["clips"], scores["known"]) == (2, 1), "cab is a sentence of training"
    table = (tmp_path / "RESULTS.md").read_text()
    assert f"| 2 films, beam | {scores['systems']['beam']['cer']:.1%} |" in table and "| 2 films, greedy |" in table
    assert "own_y: no face in frames 9-17 (9 of 40)" in table and "--set 'films=[FILMS]'" in table
    assert "1 of them say a sentence of the training clips" in table
    assert "<td>own_y</td><td>a cab</td>" in (tmp_path / "run/results/report.html").read_text()


def test_a_folder_without_films_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no film with a transcript: there is no film in it"):
        run(tmp_path, "run", f"films=[{tmp_path}/nowhere]")
