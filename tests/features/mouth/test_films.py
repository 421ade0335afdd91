"""A film through all steps: the windows that are cut, what is told of it, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.features.mouth.crops import crop_mouths
from speechkd.features.mouth.films import FilmOptions, film_mouth, film_notes
from speechkd.features.mouth.tracking import track_mouth
from speechkd.features.mouth.video import read_video
from tests.features.mouth.films import cv2, grey_steps, write_film

SIZE = (8, 16)


class Faces:
    """Finds a face that moves to the right, but not in the looks that are to be in vain."""

    def __init__(self, in_vain: Iterable[int] = ()) -> None:
        self.looks, self.in_vain = 0, set(in_vain)

    def faces(self, frame: np.ndarray) -> np.ndarray:
        look, self.looks = self.looks, self.looks + 1
        return np.array([[8.0 + 2 * look, 4.0, 30.0, 30.0]][: look not in self.in_vain])


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """40 frames: five looks, at 0, 9, 18, 27 and 36."""
    return write_film(tmp_path / "a.avi", grey_steps(40))


@pytest.mark.parametrize("fixed", [True, False])
def test_the_windows_are_those_that_were_cut(film: Path, fixed: bool) -> None:
    found = film_mouth(film, FilmOptions(SIZE, fixed), Faces())
    frames = read_video(film).frames
    assert np.array_equal(found.crops, crop_mouths(frames, track_mouth(frames, Faces()), SIZE, fixed=fixed))
    assert np.array_equal(found.crops, crop_mouths(frames, found.track, SIZE))
    assert (len(np.unique(found.track.boxes[:, 0])) == 1) == fixed
    assert found.notes == ()


def test_what_is_missing_in_a_film_is_told(film: Path) -> None:
    data = film.read_bytes()
    film.write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(DataError, match="video is broken"):
        film_mouth(film, FilmOptions(SIZE), Faces())
    found = film_mouth(film, FilmOptions(SIZE, keep_broken=True), Faces(in_vain=[1]))
    missing = 40 - len(found.crops)
    assert 0 < missing < 30
    told = (f"no face in frames 9-17 (9 of {len(found.crops)})", f"the file ends {missing} frames early")
    assert found.notes == told
    assert film_notes((), 0, 40) == ()


def test_another_rate_is_taken_if_asked_for(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.avi", grey_steps(40), fps=50)
    with pytest.raises(DataError, match="wrong frame rate"):
        film_mouth(film, FilmOptions(SIZE), Faces())
    assert film_mouth(film, FilmOptions(SIZE, resample=True), Faces()).crops.shape == (20, *SIZE)


def test_a_film_mostly_without_a_face_is_refused(film: Path) -> None:
    half = [0, 1]  # 18 of 40 frames
    assert len(film_mouth(film, FilmOptions(SIZE), Faces(half)).crops) == 40
    with pytest.raises(
        DataError, match=r"a.avi: the face is mostly lost: no face in frames 0-17 \(18 of 40\), more"
    ) as e:
        film_mouth(film, FilmOptions(SIZE, most_lost=0.4), Faces(half))
    assert "40%" in str(e.value)
    with pytest.raises(DataError, match="mostly lost"):
        film_mouth(film, FilmOptions(SIZE), Faces([0, 1, 2]))


def test_the_sheet_shows_a_frame_in_which_the_face_was_found(film: Path) -> None:
    found = film_mouth(film, FilmOptions(SIZE), Faces(in_vain=[0, 1]))
    # Found in the looks at 18, 27 and 36: the middle one is shown.
    top = found.sheet[:48, :64]
    green = (top[..., 1].astype(int) - top[..., 2]) == 220
    assert green.any()
    grey = cv2.cvtColor(top, cv2.COLOR_BGR2GRAY)
    assert np.array_equal(grey[~green], found.video.frames[27][~green])
