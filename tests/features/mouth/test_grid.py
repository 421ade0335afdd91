"""The real cascade on real films: the windows and crops that others made of the same clips of GRID."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.features.mouth.crops import crop_mouths
from speechkd.features.mouth.tracking import HaarFaces, MouthTrack, track_mouth
from speechkd.features.mouth.video import Video, read_video
from tests.features.mouth.films import cv2

CLIP = "lgwg2n"


@pytest.fixture(scope="module")
def grid(shared_data: Callable[[str], Path]) -> Path:
    return shared_data("data/lipreading/grid_s1")


@pytest.fixture(scope="module")
def video(grid: Path) -> Video:
    return read_video(grid / "raw" / f"{CLIP}.mpg")


@pytest.fixture(scope="module")
def track(video: Video) -> MouthTrack:
    return track_mouth(video.frames, HaarFaces())


def test_the_film_is_whole(video: Video) -> None:
    assert video.frames.shape == (75, 288, 360) and video.duration_s == 3.0


def test_the_window_is_the_published_one(grid: Path, track: MouthTrack) -> None:
    with gzip.open(grid / "transcripts.jsonl.gz", "rt", encoding="utf-8") as file:
        row = next(row for row in map(json.loads, file) if row["id"] == CLIP)
    # Published with one decimal.
    np.testing.assert_allclose(track.fixed_box, row["crop_xywh"], atol=0.051)
    assert track.lost == () and track.detected == tuple(range(0, 75, 9))
    assert np.abs(track.boxes - track.fixed_box).max() < 4


def test_the_crops_are_the_published_ones(grid: Path, video: Video, track: MouthTrack) -> None:
    with zipfile.ZipFile(grid / "mouth_50x100_jpeg.zip") as archive:
        name = next(name for name in archive.namelist() if Path(name).stem == CLIP)
        picture = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_GRAYSCALE)
    published = picture.reshape(15, 50, 5, 100).transpose(0, 2, 1, 3).reshape(75, 50, 100)
    away = np.abs(crop_mouths(video.frames, track, fixed=True).astype(int) - published)
    # 1.44; JPEG at quality 72 alone takes the same crops 1.25 levels away.
    assert away.mean() < 2.0
    shifted = np.abs(np.roll(published, 1, axis=0).astype(int) - published).mean()
    assert away.mean() < shifted


def test_a_larger_picture_of_the_same_face_gives_the_same_window(video: Video, track: MouthTrack) -> None:
    large = np.stack([cv2.resize(frame, None, fx=2, fy=2) for frame in video.frames[:19]])
    boxes = track_mouth(large, HaarFaces()).boxes
    assert np.abs(boxes / 2 - track.boxes[:19]).max() < 3


def test_a_covered_face_is_lost_and_an_empty_film_refused(video: Video) -> None:
    frames = video.frames[:27].copy()
    frames[9:18] = 100
    assert track_mouth(frames, HaarFaces()).lost == ((9, 18),)
    with pytest.raises(DataError, match="no face found"):
        track_mouth(np.full((10, 288, 360), 100, np.uint8), HaarFaces())
