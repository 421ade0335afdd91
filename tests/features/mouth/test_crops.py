"""Crops against slices, block means and numpy's own interpolation."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.features.mouth.crops import crop_mouths, cut
from speechkd.features.mouth.tracking import MouthTrack
from tests.features.mouth.films import cv2

FRAMES = np.random.default_rng(0).integers(0, 256, (6, 60, 80)).astype(np.uint8)


def track(boxes: object) -> MouthTrack:
    return MouthTrack(np.asarray(boxes, dtype=np.float64), (), (0,), np.array([[10.0, 4.0, 50.0, 50.0]]))


def test_a_window_of_the_crops_own_size_is_a_slice() -> None:
    boxes = [[5 + i, 7 - i, 20, 10] for i in range(6)]
    crops = crop_mouths(FRAMES, track(boxes), (10, 20))
    assert crops.shape == (6, 10, 20) and crops.dtype == np.uint8
    for i in range(6):
        assert np.array_equal(crops[i], FRAMES[i, 7 - i : 17 - i, 5 + i : 25 + i])


@pytest.mark.parametrize(("k_y", "k_x"), [(2, 2), (3, 3), (1, 4), (5, 2)])
def test_made_smaller_a_pixel_is_the_mean_of_its_block(k_y: int, k_x: int) -> None:
    frame, (h, w) = FRAMES[0], (8, 10)
    crop = cut(frame, np.array([3.0, 4.0, w * k_x, h * k_y]), (h, w))
    block = frame[4 : 4 + h * k_y, 3 : 3 + w * k_x].reshape(h, k_y, w, k_x).mean(axis=(1, 3))
    assert np.abs(crop - block).max() <= 0.51


def test_enlarged_it_is_interpolated_linearly() -> None:
    crop = cut(FRAMES[0], np.array([10.0, 20.0, 20.0, 10.0]), (20, 40))
    rows, columns = np.arange(20) / 2 + 20 - 0.25, np.arange(40) / 2 + 10 - 0.25
    y, x = np.floor(rows).astype(int)[:, None], np.floor(columns).astype(int)[None]
    part_y, part_x = (rows - np.floor(rows))[:, None], (columns - np.floor(columns))[None]
    f = FRAMES[0].astype(float)
    upper, lower = ((1 - part_x) * f[y + k, x] + part_x * f[y + k, x + 1] for k in (0, 1))
    assert np.abs(crop - ((1 - part_y) * upper + part_y * lower)).max() <= 1


def test_a_window_moves_by_parts_of_a_pixel() -> None:
    ramp = np.tile(np.arange(0, 160, 2, dtype=np.uint8), (60, 1))
    whole, half = (cut(ramp, np.array([x, 10.0, 20.0, 10.0]), (10, 20)) for x in (10.0, 10.5))
    assert np.array_equal(half, whole + 1)


@pytest.mark.parametrize("corner", [(-6, -4), (70, 55), (-30, 20), (100, 100)])
def test_beyond_the_border_the_edge_is_repeated(corner: tuple[int, int]) -> None:
    x, y = corner
    padded = np.pad(FRAMES[0], 200, mode="edge")
    expected = padded[200 + y : 210 + y, 200 + x : 220 + x]
    assert np.array_equal(cut(FRAMES[0], np.array([x, y, 20.0, 10.0]), (10, 20)), expected)


def test_a_constant_film_gives_constant_crops() -> None:
    frames = np.full((3, 60, 80), 77, np.uint8)
    boxes = [[-5.3, 2.2, 31.7, 15.1], [60, 50, 180, 90], [10, 10, 7, 3]]
    assert (crop_mouths(frames, track(boxes)) == 77).all()
    assert crop_mouths(frames, track(boxes)).shape == (3, 50, 100)


def test_fixed_all_frames_have_the_window_of_the_median_face() -> None:
    boxes = [[i, i, 20, 10] for i in range(6)]
    crops = crop_mouths(FRAMES, track(boxes), (14, 28), fixed=True)
    # 0.56 · 50 = 28 wide, 14 high, centred at x = 35 and y = 44.
    assert np.array_equal(crops, FRAMES[:, 37:51, 21:49])


def test_the_window_is_scaled_as_opencv_scales_pictures() -> None:
    crop = cut(FRAMES[0], np.array([10.0, 20.0, 30.0, 15.0]), (25, 50))
    # Inside, away from the slice's border, which OpenCV's resize repeats.
    expected = cv2.resize(FRAMES[0, 20:35, 10:40], (50, 25), interpolation=cv2.INTER_LINEAR)
    assert np.abs(crop.astype(int) - expected)[1:-1, 1:-1].max() <= 6


def test_a_track_of_another_film_is_refused() -> None:
    with pytest.raises(DataError, match="the film has 6 frames, the track 5"):
        crop_mouths(FRAMES, track([[0, 0, 20, 10]] * 5))
