"""Where the mouth is in every frame, from faces found in some of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError, ResourceError
from speechkd.features.mouth.opencv import import_cv2
from speechkd.features.mouth.video import Frames

Boxes = npt.NDArray[np.float64]
FrameRange = tuple[int, int]

# The mouth's window in a frontal face: its width and the height of its centre in parts of the face's box, and its form.
# They are those of the GRID crops, so that a model of those reads other films as well.
MOUTH_WIDTH_PER_FACE_WIDTH = 0.56
MOUTH_CENTRE_PER_FACE_HEIGHT = 0.80
MOUTH_HEIGHT_PER_WIDTH = 0.5

# A face is looked for in every ninth frame (0.36 s at 25 frames per second): heads move slowly, and looking is costly.
DETECT_EVERY = 9
# Found boxes are replaced by the median of so many neighbours: one false face does not count.
MEDIAN_OF = 3


class FaceDetector(Protocol):
    """Finds faces in one frame."""

    def faces(self, frame: Frames) -> Boxes:
        """Boxes (N, 4) of x, y, width and height in pixels of the grey frame (H, W); N may be 0."""
        ...


class HaarFaces:
    """The frontal-face cascade that comes with OpenCV (Viola and Jones, 2001).

    Frames are scaled down until their longer side has at most `longest_side` pixels. Not for several threads at once.
    """

    CASCADE = "haarcascade_frontalface_default.xml"
    SCALE_STEP = 1.1
    NEIGHBOURS = 5
    # The least side of a face, in parts of the frame's shorter side: a speaker's, not a passer-by's.
    LEAST_FACE = 0.2

    def __init__(self, longest_side: int = 360) -> None:
        cv2 = import_cv2()
        path = Path(cv2.data.haarcascades) / self.CASCADE
        self.longest_side = longest_side
        self._cascade = cv2.CascadeClassifier(str(path))
        if self._cascade.empty():
            raise ResourceError("the face detector cannot be loaded", where=str(path), todo="Install OpenCV again")

    def faces(self, frame: Frames) -> Boxes:
        """Boxes (N, 4) of x, y, width and height in pixels of the grey frame (H, W)."""
        cv2 = import_cv2()
        scale = min(1.0, self.longest_side / max(frame.shape))
        small = frame
        if scale < 1.0:
            small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        least = max(1, round(self.LEAST_FACE * min(small.shape)))
        found = self._cascade.detectMultiScale(small, self.SCALE_STEP, self.NEIGHBOURS, minSize=(least, least))
        return np.asarray(found, dtype=np.float64).reshape(-1, 4) / scale


@dataclass(frozen=True)
class MouthTrack:
    """Where the mouth is: `boxes` (T, 4) of x, y, width and height in pixels, one for each frame.

    `detected` are the frames in which a face was found, `faces` (len(detected), 4) its boxes as found. `lost` lists the
    frames [start, end) for which it was looked for in vain: their boxes are interpolated, or held at the film's ends.
    """

    boxes: Boxes
    lost: tuple[FrameRange, ...]
    detected: tuple[int, ...]
    faces: Boxes

    @property
    def fixed_box(self) -> Boxes:
        """One window (4,) for the whole film: that of the median face, as the GRID crops have it."""
        return mouth_windows(np.median(self.faces, axis=0)[None])[0]


def track_mouth(
    frames: Frames,
    detector: FaceDetector,
    every: int = DETECT_EVERY,
    median_of: int = MEDIAN_OF,
    *,
    where: str | None = None,
) -> MouthTrack:
    """Follow the mouth of the largest face through frames (T, H, W).

    The face is looked for in every `every`-th frame; its boxes are smoothed by a median over `median_of` of them,
    interpolated linearly between, and held before the first and after the last. Raises DataError, with the film's
    name `where`, if there is no face in any frame looked at.
    """
    tried = range(0, len(frames), every)
    found = {at: _largest(boxes) for at in tried if len(boxes := detector.faces(frames[at]))}
    if not found:
        raise DataError(
            "no face found",
            where=where,
            why=f"there is none in the {len(tried)} of {len(frames)} frames looked at",
            todo="Use a film of one speaker seen from the front",
        )
    faces = np.stack(list(found.values()))
    smooth = mouth_windows(running_median(faces, median_of))
    times = np.arange(len(frames))
    boxes = np.stack([np.interp(times, list(found), column) for column in smooth.T], axis=1)
    lost = frame_ranges((at for at in tried if at not in found), every, len(frames))
    return MouthTrack(boxes, lost, tuple(found), faces)


def mouth_windows(faces: Boxes) -> Boxes:
    """The mouth's windows (N, 4) in boxes of faces (N, 4): x, y, width and height in pixels."""
    x, y, face_width, face_height = faces.T
    width = MOUTH_WIDTH_PER_FACE_WIDTH * face_width
    height = MOUTH_HEIGHT_PER_WIDTH * width
    centre_x, centre_y = x + face_width / 2, y + MOUTH_CENTRE_PER_FACE_HEIGHT * face_height
    return np.stack([centre_x - width / 2, centre_y - height / 2, width, height], axis=1)


def running_median(values: Boxes, size: int) -> Boxes:
    """Median of each of the rows (N, C) and its neighbours, `size` in all; at the ends, of the first or last `size`."""
    size = min(size, len(values))
    starts = np.clip(np.arange(len(values)) - size // 2, 0, len(values) - size)
    return np.median(values[starts[:, None] + np.arange(size)], axis=1)


def frame_ranges(starts: Iterable[int], length: int, n_frames: int) -> tuple[FrameRange, ...]:
    """Ranges [start, start + length) cut at `n_frames`, those that touch made one."""
    ranges: list[FrameRange] = []
    for start in starts:
        end = min(start + length, n_frames)
        if ranges and ranges[-1][1] == start:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return tuple(ranges)


def n_lost(lost: Sequence[FrameRange]) -> int:
    """How many frames the ranges hold."""
    return sum(end - start for start, end in lost)


def lost_line(lost: Sequence[FrameRange], n_frames: int) -> str:
    """The lost frames in words: "no face in frames 9-26 (18 of 75)"."""
    spans = ", ".join(f"{start}-{end - 1}" for start, end in lost)
    return f"no face in frames {spans} ({n_lost(lost)} of {n_frames})" if lost else ""


def _largest(boxes: Boxes) -> Boxes:
    largest: Boxes = boxes[int(np.argmax(boxes[:, 2] * boxes[:, 3]))]
    return largest
