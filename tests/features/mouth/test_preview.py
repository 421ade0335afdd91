"""Contact sheets and subtitled copies: what is drawn where, and what a failure leaves behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechkd.errors import ResourceError, UsageError
from speechkd.features.mouth.preview import boxed, burn_subtitles, contact_sheet, words_at, write_picture
from speechkd.features.mouth.tracking import MouthTrack
from speechkd.features.mouth.video import Video
from tests.features.mouth.films import cv2

WORDS = [(0.0, 0.2, "bin"), (0.2, 0.6, "blue")]


def film(n_frames: int = 20, height: int = 120, width: int = 160) -> tuple[Video, MouthTrack]:
    frames = np.full((n_frames, height, width), 100, np.uint8)
    boxes = np.tile([40.0, 30.0, 60.0, 30.0], (n_frames, 1))
    return Video(frames, 25.0), MouthTrack(boxes, (), (0,), np.array([[0.0, 0.0, 100.0, 100.0]]))


def greenness(picture: np.ndarray) -> np.ndarray:
    return picture[..., 1].astype(int) - picture[..., 2]


def test_the_box_is_drawn_on_its_border_and_nowhere_else() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (60, 80)).astype(np.uint8)
    picture = boxed(frame, np.array([[10.2, 19.8, 30.0, 15.0]]))
    border = np.zeros((60, 80), bool)
    border[20:35, 10:40] = True
    border[21:34, 11:39] = False
    assert (greenness(picture)[border] == 220).all()
    assert np.array_equal(picture[~border], np.repeat(frame[:, :, None], 3, axis=2)[~border])


def test_a_sheet_shows_the_frame_and_crops_spread_over_time(tmp_path: Path) -> None:
    crops = np.repeat(np.repeat(np.arange(51, dtype=np.uint8)[:, None, None] * 5, 50, axis=1), 100, axis=2)
    frame = np.full((288, 360), 90, np.uint8)
    sheet = contact_sheet(crops, frame, np.array([[100.0, 180.0, 80.0, 40.0]]))
    assert sheet.shape == (288 + 4 + 5 * 54, 5 * 104, 3)
    assert (greenness(sheet) == 220).sum() == 2 * (80 + 40) - 4
    shown = [int(sheet[292 + 54 * row + 25, 104 * column + 50, 0]) for row in range(5) for column in range(5)]
    assert shown == [5 * round(50 * i / 24) for i in range(25)]
    write_picture(tmp_path / "s1.png", sheet)
    assert np.array_equal(cv2.imread(str(tmp_path / "s1.png")), sheet)
    assert [path.name for path in tmp_path.iterdir()] == ["s1.png"]


def test_a_short_film_fills_a_part_of_the_sheet() -> None:
    sheet = contact_sheet(np.full((7, 50, 100), 200, np.uint8), np.zeros((288, 700), np.uint8), np.zeros((0, 4)))
    assert sheet.shape == (288 + 4 + 2 * 54, 700, 3)
    assert (sheet[292:, :, 0] == 200).sum() == 7 * 50 * 100


def test_words_are_said_from_their_start_to_before_their_end() -> None:
    assert [words_at(WORDS, time_s) for time_s in (0.0, 0.199, 0.2, 0.6)] == ["bin", "bin", "blue", ""]
    assert words_at([(0.0, 1.0, "a"), (0.5, 1.0, "b")], 0.7) == "a b"


def read_colours(path: Path) -> np.ndarray:
    capture, pictures = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        pictures.append(read[1])
    assert capture.get(cv2.CAP_PROP_FPS) == 25.0
    return np.stack(pictures)


@pytest.mark.parametrize(("name", "height", "width"), [("a.mp4", 120, 160), ("a.mp4", 121, 161), ("a.AVI", 120, 160)])
def test_subtitles_stand_at_their_time_and_the_box_always(tmp_path: Path, name: str, height: int, width: int) -> None:
    video, track = film(height=height, width=width)
    burn_subtitles(video, track, WORDS, tmp_path / name)
    pictures = read_colours(tmp_path / name)
    assert pictures.shape[0] == 20
    assert [path.name for path in tmp_path.iterdir()] == [name]
    below = pictures[:, 100:].max(axis=(1, 2, 3)) > 180
    assert below.tolist() == [i / 25 < 0.6 for i in range(20)]
    # The two words differ, and each stands still.
    left = (np.abs(pictures[:, 100:].astype(int) - 100).max(axis=3) > 60).any(axis=1).argmax(axis=1)
    assert len(set(left[:5])) == len(set(left[5:15])) == 1 and left[0] > left[5]
    assert (greenness(pictures[:, 30:60, 40:100]).max(axis=(1, 2)) > 60).all()
    assert greenness(pictures[:, 70:100]).max() < 40


def test_letters_beyond_ascii_do_not_break_the_film(tmp_path: Path) -> None:
    video, track = film(5)
    burn_subtitles(video, track, [(0.0, 1.0, "grün 绿")], tmp_path / "a.mp4")
    burn_subtitles(video, track, [(0.0, 1.0, "gr?n ?")], tmp_path / "b.mp4")
    assert np.array_equal(read_colours(tmp_path / "a.mp4"), read_colours(tmp_path / "b.mp4"))


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its name ends in .mkv. Use a name in .mp4 or .avi"):
        burn_subtitles(*film(3), WORDS, tmp_path / "a.mkv")


def test_a_film_that_cannot_be_written_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, path: str, *rest: object) -> None:
            Path(path).write_bytes(b"half")

        def write(self, picture: object) -> None:
            pass

        def release(self) -> None:
            pass

    (tmp_path / "a.mp4").write_bytes(b"older")
    monkeypatch.setattr(cv2, "VideoWriter", Full)
    with pytest.raises(ResourceError, match="the film cannot be written"):
        burn_subtitles(*film(3), WORDS, tmp_path / "a.mp4")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"older"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="the film cannot be written"):
        burn_subtitles(*film(3), WORDS, tmp_path / "nowhere" / "a.mp4")
