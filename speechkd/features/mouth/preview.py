"""Pictures and films for people to look at: is that the mouth, and are these its words?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from speechkd.errors import ResourceError, UsageError
from speechkd.features.mouth.opencv import import_cv2
from speechkd.features.mouth.tracking import Boxes, MouthTrack
from speechkd.features.mouth.video import Frames, Video
from speechkd.runner.publish import rename, resource_errors, write_file

Picture = npt.NDArray[np.uint8]
TimedWord = tuple[float, float, str]

SHEET_COLUMNS, SHEET_ROWS, GAP_PIXELS = 5, 5, 4
BACKGROUND = 32
# Blue, green, red.
BOX_COLOUR, TEXT_COLOUR, OUTLINE_COLOUR = (0, 220, 0), (255, 255, 255), (0, 0, 0)
# The containers of copies, and the codec that OpenCV writes into each wherever it runs.
FILM_CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
# The subtitle's height and its distance from the lower edge, in parts of the frame's height.
TEXT_HEIGHT, TEXT_MARGIN = 0.06, 0.04
# The height of Hershey's capitals at scale 1.
_HERSHEY_PIXELS = 21


def contact_sheet(crops: Frames, frame: Frames, boxes: Boxes) -> Picture:
    """A speaker at a glance: a frame (H, W) with the windows `boxes` (N, 4), below it crops (T, h, w) spread over time.

    Returns a picture (height, width, 3) in OpenCV's order of blue, green, red.
    """
    top, below = boxed(frame, boxes), crop_sheet(crops)
    width = max(top.shape[1], below.shape[1])
    gap = np.full((GAP_PIXELS, width, 3), BACKGROUND, np.uint8)
    return np.concatenate([_widened(top, width), gap, _widened(below, width)])


def crop_sheet(crops: Frames) -> Picture:
    """Crops (T, h, w) spread over time, in reading order: a picture (height, width, 3)."""
    chosen = np.linspace(0, len(crops) - 1, min(len(crops), SHEET_ROWS * SHEET_COLUMNS)).round().astype(int)
    return _tiled(crops[chosen])


def boxed(frame: Frames, boxes: Boxes) -> Picture:
    """A grey frame (H, W) as a picture (H, W, 3) with the boxes (N, 4) drawn."""
    cv2 = import_cv2()
    picture: Picture = np.repeat(frame[:, :, None], 3, axis=2)
    for x, y, width, height in np.asarray(boxes).round().astype(int).tolist():
        cv2.rectangle(picture, (x, y), (x + width - 1, y + height - 1), BOX_COLOUR, 1)
    return picture


def write_picture(path: Path, picture: Picture) -> None:
    """Publish a picture (H, W, 3) as PNG."""
    write_file(path, import_cv2().imencode(".png", picture)[1].tobytes())


def burn_subtitles(video: Video, track: MouthTrack, words: Sequence[TimedWord], path: Path) -> None:
    """Write a copy of the film (.mp4 in MPEG-4 part 2, or .avi in Motion JPEG) with the mouth's box and each word at
    its time.

    `words` are (start_s, end_s, word). The copy is grey and has no sound: OpenCV writes pictures alone. Its letters are
    those of ASCII; others are drawn as question marks. Raises UsageError for another suffix, ResourceError if the film
    cannot be written.
    """
    check_film_path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        _write_film(temporary, video, track, words)
        with resource_errors(path):
            rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_film_path(path: Path) -> None:
    """UsageError unless a copy can have this name."""
    if path.suffix.lower() not in FILM_CODECS:
        why = f"its name ends in {path.suffix or 'nothing'}"
        todo = f"Use a name in {' or '.join(FILM_CODECS)}"
        raise UsageError("a preview is an MP4 or AVI film", where=str(path), why=why, todo=todo)


def words_at(words: Sequence[TimedWord], time_s: float) -> str:
    """What is being said at a time."""
    return " ".join(word for start_s, end_s, word in words if start_s <= time_s < end_s)


def _write_film(path: Path, video: Video, track: MouthTrack, words: Sequence[TimedWord]) -> None:
    cv2 = import_cv2()
    height, width = video.frames.shape[1:]
    codec = cv2.VideoWriter_fourcc(*FILM_CODECS[path.suffix.lower()])
    writer = cv2.VideoWriter(str(path), codec, video.fps, (width, height))
    try:
        for i, (frame, box) in enumerate(zip(video.frames, track.boxes, strict=True)):
            picture = boxed(frame, box[None])
            _write_line(picture, words_at(words, i / video.fps))
            writer.write(picture)
    finally:
        writer.release()
    # OpenCV does not say when a disk is full.
    if _n_frames(path) != len(video.frames):
        raise ResourceError(
            "the film cannot be written", where=str(path.parent), todo="Is there room, and may I write?"
        )


def _n_frames(path: Path) -> int:
    cv2 = import_cv2()
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    capture.release()
    return count


def _write_line(picture: Picture, text: str) -> None:
    """Draw a centred line near the lower edge, outlined so that it can be read on any background."""
    cv2 = import_cv2()
    text = text.encode("ascii", "replace").decode()
    height, width = picture.shape[:2]
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, TEXT_HEIGHT * height / _HERSHEY_PIXELS
    text_width = cv2.getTextSize(text, font, scale, 1)[0][0]
    place = ((width - text_width) // 2, height - round(TEXT_MARGIN * height))
    for colour, thickness in ((OUTLINE_COLOUR, 3), (TEXT_COLOUR, 1)):
        cv2.putText(picture, text, place, font, scale, colour, thickness, cv2.LINE_AA)


def _tiled(crops: Frames) -> Picture:
    """Crops (N, h, w) in reading order, with gaps: (height, width, 3)."""
    n_rows = -(-len(crops) // SHEET_COLUMNS)
    height, width = (side + GAP_PIXELS for side in crops.shape[1:])
    sheet = np.full((n_rows * height, SHEET_COLUMNS * width, 3), BACKGROUND, np.uint8)
    for i, crop in enumerate(crops):
        row, column = i // SHEET_COLUMNS * height, i % SHEET_COLUMNS * width
        sheet[row : row + height - GAP_PIXELS, column : column + width - GAP_PIXELS] = crop[:, :, None]
    return sheet


def _widened(picture: Picture, width: int) -> Picture:
    return np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), constant_values=BACKGROUND)
