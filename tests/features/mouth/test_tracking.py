"""Tracking against closed forms, with faces put where they should be found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.features.mouth.tracking import (
    MouthTrack,
    frame_ranges,
    lost_line,
    mouth_windows,
    running_median,
    track_mouth,
)


class Staged:
    """A detector that knows the faces beforehand: frames are told apart by their grey."""

    def __init__(self, faces: Mapping[int, object]) -> None:
        self.boxes, self.asked = faces, []

    def faces(self, frame: np.ndarray) -> np.ndarray:
        self.asked.append(int(frame[0, 0]))
        return np.asarray(self.boxes.get(self.asked[-1], []), dtype=np.float64).reshape(-1, 4)


def numbered(n_frames: int) -> np.ndarray:
    return np.repeat(np.repeat(np.arange(n_frames, dtype=np.uint8)[:, None, None], 4, axis=1), 6, axis=2)


def mouth(x: float, y: float, width: float, height: float) -> list[float]:
    """0.56 of the face wide and half of that high, centred at half its width and 0.8 of its height."""
    return [x + 0.5 * width - 0.28 * width, y + 0.8 * height - 0.14 * width, 0.56 * width, 0.28 * width]


def track(faces: Mapping[int, object], n_frames: int = 28, **how: int) -> MouthTrack:
    return track_mouth(numbered(n_frames), Staged(faces), **how)


def test_the_window_is_that_of_the_grid_crops() -> None:
    faces = np.array([[100.0, 80.0, 142.0, 142.0], [10.0, 20.0, 50.0, 70.0]])
    np.testing.assert_allclose(mouth_windows(faces), [mouth(*face) for face in faces])


def test_every_ninth_frame_is_looked_at() -> None:
    detector = Staged({at: [10, 10, 50, 50] for at in range(28)})
    found = track_mouth(numbered(28), detector)
    assert detector.asked == [0, 9, 18, 27] == list(found.detected)
    assert found.lost == () and found.boxes.shape == (28, 4)
    np.testing.assert_allclose(found.boxes, np.tile(mouth(10, 10, 50, 50), (28, 1)))


def test_between_detections_the_window_moves_evenly_and_at_the_ends_it_is_held() -> None:
    found = track({at: [10 + at, 5, 50 + 2 * at, 60] for at in (0, 9, 18, 27)}, n_frames=32, median_of=1)
    for at in range(32):
        seen = min(at, 27)
        np.testing.assert_allclose(found.boxes[at], mouth(10 + seen, 5, 50 + 2 * seen, 60))


def test_one_false_face_does_not_count() -> None:
    """The median of three follows a steady motion and drops what stands out, at an end too."""
    steady = {at: [10 + at, 20, 50, 50] for at in range(0, 54, 9)}
    honest = track(steady, n_frames=46)
    for wrong in (0, 18, 45):
        seen = track(steady | {wrong: [200, 150, 90, 90]}, n_frames=46).boxes
        assert np.abs(seen - honest.boxes).max() <= 0.56 * 9 * 2
        assert seen[:, 2].max() == pytest.approx(28)


def test_running_median_against_brute_force() -> None:
    values = np.random.default_rng(0).normal(size=(9, 4))
    for size in (1, 3, 5, 20):
        used = min(size, 9)
        for i, row in enumerate(running_median(values, size)):
            start = max(0, min(i - used // 2, 9 - used))
            np.testing.assert_allclose(row, [sorted(c)[used // 2] for c in values[start : start + used].T])


def test_the_largest_face_is_followed() -> None:
    found = track({0: [[0, 0, 20, 20], [30, 10, 50, 50], [5, 5, 49, 49]]}, n_frames=5)
    np.testing.assert_allclose(found.boxes, np.tile(mouth(30, 10, 50, 50), (5, 1)))


def test_lost_frames_are_listed_and_bridged() -> None:
    """Looked at: 0, 9, …, 63. No face at 0, 27, 36 and 63."""
    face = {at: [at, 0, 50, 50] for at in (9, 18, 45, 54)}
    found = track(face, n_frames=70, median_of=1)
    assert found.detected == (9, 18, 45, 54)
    assert found.lost == ((0, 9), (27, 45), (63, 70))
    for at in range(70):
        np.testing.assert_allclose(found.boxes[at], mouth(min(max(at, 9), 54), 0, 50, 50))
    assert lost_line(found.lost, 70) == "no face in frames 0-8, 27-44, 63-69 (34 of 70)"
    assert lost_line((), 70) == ""


def test_ranges_that_touch_are_one() -> None:
    assert frame_ranges([0, 5, 15], 5, 18) == ((0, 10), (15, 18))
    assert frame_ranges([], 5, 18) == ()


def test_no_face_anywhere_is_an_error() -> None:
    with pytest.raises(DataError, match=r"^a\.avi: no face found: there is none in the 4 of 28 frames looked at\. "):
        track_mouth(numbered(28), Staged({5: [10, 10, 50, 50]}), where="a.avi")


def test_the_fixed_window_is_that_of_the_median_face() -> None:
    faces = {0: [10, 20, 50, 52], 9: [40, 22, 56, 54], 18: [12, 90, 51, 50]}
    found = track(faces, n_frames=20)
    np.testing.assert_allclose(found.fixed_box, mouth(12, 22, 51, 52))
    np.testing.assert_allclose(found.faces, list(faces.values()))
