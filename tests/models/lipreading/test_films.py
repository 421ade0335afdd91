"""Reading films: the words' times, and a folder at work on a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from speechkd.errors import ArtifactError
from speechkd.features.mouth.films import FilmOptions, film_mouth
from speechkd.models.lipreading.films import FilmReader, subtitle_frames
from speechkd.models.lipreading.load import ReadWord, load_reader, save_model
from tests.features.mouth.films import grey_steps, write_film
from tests.models.lipreading.test_reader import reader


def word(start: int | None, end: int | None) -> ReadWord:
    return ReadWord("a", 0.5, start, end)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        ([(3, 5)], [(3, 6)]),
        ([(None, None)], [(12, 24)]),
        ([(2, 4), (6, 7)], [(2, 6), (6, 8)]),
        # Without a place: evenly between the words around it, or the film's end.
        ([(2, 4), (None, None), (10, 12)], [(2, 6), (6, 10), (10, 13)]),
        ([(6, 7), (None, None), (None, None)], [(6, 12), (12, 18), (18, 24)]),
        # Attention that jumps back.
        ([(5, 6), (5, 5), (2, 3)], [(5, 6), (6, 7), (7, 8)]),
    ],
)
def test_words_are_shown_until_the_next_one(
    words: list[tuple[int | None, int | None]], expected: list[tuple[int, int]]
) -> None:
    assert list(subtitle_frames([word(*each) for each in words], 24)) == expected


class OneFace:
    """The same face in every frame."""

    def faces(self, frame: np.ndarray) -> np.ndarray:
        return np.array([[16.0, 4.0, 30.0, 30.0]])


@pytest.mark.parametrize("width", [1, 3])
def test_a_film_is_read_as_its_crops_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr("speechkd.models.lipreading.films.HaarFaces", OneFace)
    save_model(tmp_path, reader("a b", seed=3))
    film = write_film(tmp_path / "film.avi", grey_steps(12))
    found = FilmReader(tmp_path, width).read(film)
    assert found.film.crops.shape == (12, 12, 16)
    same = film_mouth(film, FilmOptions((12, 16)), OneFace()).crops
    assert found.reading == load_reader(tmp_path, width).read(same)
    assert [each[2] for each in found.times] == found.reading.text.split()
    assert all(0 <= start_s < end_s for start_s, end_s, _ in found.times)


def test_a_folder_without_a_reader_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="the lip reader cannot be read"):
        FilmReader(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"model": "lipreader", "config": {"dropout": 7}}))
    with pytest.raises(ArtifactError, match="dropout"):
        FilmReader(tmp_path)


def test_what_is_wrong_with_a_film_is_said_without_torch(tmp_path: Path) -> None:
    save_model(tmp_path, reader())
    film = write_film(tmp_path / "film.avi", grey_steps(12), fps=30)
    program = (
        "import sys, pathlib\n"
        "from speechkd.models.lipreading.films import FilmReader\n"
        "try: FilmReader(pathlib.Path(sys.argv[1])).read(pathlib.Path(sys.argv[2]))\n"
        "except Exception as error: print(error.what, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path, film], capture_output=True, text=True, check=True)
    assert done.stdout == "wrong frame rate False\n"
