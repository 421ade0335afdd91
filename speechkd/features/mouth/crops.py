"""The mouth cut out of every frame, in one size."""

from __future__ import annotations

import math

import numpy as np

from speechkd.errors import DataError
from speechkd.features.mouth.opencv import import_cv2
from speechkd.features.mouth.tracking import Boxes, MouthTrack
from speechkd.features.mouth.video import Frames

# Height and width of a crop, those of the GRID crops.
CROP_SIZE = (50, 100)


def crop_mouths(frames: Frames, track: MouthTrack, size: tuple[int, int] = CROP_SIZE, *, fixed: bool = False) -> Frames:
    """Cut the mouth's windows out of frames (T, H, W): crops (T, *size) uint8.

    Windows follow the mouth by parts of a pixel, or with `fixed` are one for the whole film. What lies outside the
    frame repeats its edge. DataError if the track is of another film.
    """
    if len(frames) != len(track.boxes):
        why = f"the film has {len(frames)} frames, the track {len(track.boxes)}"
        raise DataError("the mouth's track is of another film", why=why, todo="Track the mouth again")
    boxes = np.broadcast_to(track.fixed_box, (len(frames), 4)) if fixed else track.boxes
    return np.stack([cut(frame, box, size) for frame, box in zip(frames, boxes, strict=True)])


def cut(frame: Frames, box: Boxes, size: tuple[int, int]) -> Frames:
    """The window `box` (x, y, width, height in pixels) of a frame (H, W), scaled to `size` (h, w).

    Enlarged linearly. Made smaller, a crop's pixel is the mean over its area: of k x k linear samples, where k is the
    least that leaves no pixel of the window out.
    """
    cv2 = import_cv2()
    x, y, width, height = (float(value) for value in box)
    over_y, over_x = (max(1, math.ceil(whole / part - 1e-9)) for whole, part in zip((height, width), size, strict=True))
    rows, columns = size[0] * over_y, size[1] * over_x
    step_x, step_y = width / columns, height / rows
    # Pixels are areas: the centre of pixel i lies at i + 0.5.
    onto_frame = np.array([[step_x, 0.0, x + step_x / 2 - 0.5], [0.0, step_y, y + step_y / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    fine = cv2.warpAffine(frame, onto_frame, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    if (over_y, over_x) == (1, 1):
        return np.asarray(fine)
    return np.asarray(cv2.resize(fine, size[::-1], interpolation=cv2.INTER_AREA))
