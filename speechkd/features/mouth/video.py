"""Films in: grey frames at a known rate, or one clear line about what is wrong with the file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError
from speechkd.features.mouth.containers import check_container, no_picture, sound_alone
from speechkd.features.mouth.opencv import import_cv2

Frames = npt.NDArray[np.uint8]

FPS = 25.0
FPS_TOLERANCE = 0.1
# A container without a count of frames promises its duration times its rate, rounded, and the sound may last longer.
PROMISE_SLACK_FRAMES = 1
# Seven minutes of 360 x 288 pixels at 25 frames per second; lip reading wants sentences.
MOST_BYTES = 2**30


@dataclass(frozen=True)
class Video:
    """A film: `frames` grey (T, H, W) at `fps`, and how many that the file promised, at its own rate, are not there."""

    frames: Frames
    fps: float
    missing_frames: int = 0

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.frames) / self.fps


def read_video(
    path: Path, fps: float = FPS, *, resample: bool = False, keep_broken: bool = False, most_bytes: int = MOST_BYTES
) -> Video:
    """Read a file as grey frames (T, H, W) uint8.

    `resample` takes a film of another rate and chooses for each new frame the nearest in time; `keep_broken` takes what
    can be decoded of a film that ends too early. Raises DataError for a file that is missing, no video, sound alone,
    without frames, of the wrong rate, shorter than promised, or of more than `most_bytes` pixels over all frames.
    A truncated MPEG program stream cannot be told from a whole shorter one: it promises nothing.
    """
    check_container(path)
    with _opened(path) as capture:
        rate, promised = _header(path, capture, most_bytes)
        _check_rate(path, rate, fps, resample)
        frames = _decode(path, capture, most_bytes)
    missing = _missing(path, len(frames), promised, keep_broken)
    if abs(rate - fps) > FPS_TOLERANCE:
        chosen = nearest_frames(len(frames), rate, fps)
        _check_size(path, frames[0].size * len(chosen), most_bytes)
        return Video(frames[chosen], fps, missing)
    return Video(frames, fps, missing)


def nearest_frames(n_frames: int, from_fps: float, to_fps: float) -> npt.NDArray[np.int64]:
    """Which of `n_frames` is nearest in time to each frame of the same film at another rate: (T',) indices."""
    n_wanted = max(1, round(n_frames * to_fps / from_fps))
    nearest = np.floor(np.arange(n_wanted) * (from_fps / to_fps) + 0.5)
    return np.minimum(nearest, n_frames - 1).astype(np.int64)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    cv2 = import_cv2()
    # FFmpeg by name: OpenCV's other readers take a file's name for a pattern of many. One thread, as workers are many.
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    try:
        if not capture.isOpened():
            raise _unreadable(path)
        yield capture
    finally:
        capture.release()


def _unreadable(path: Path) -> DataError:
    if sound_alone(path):
        return no_picture(path)
    return DataError(
        "video cannot be decoded",
        where=str(path),
        why="its header is damaged or incomplete, it holds no picture, or its codec is unknown",
        todo="Copy the file again, or convert it to MP4 or AVI",
    )


def _header(path: Path, capture: Any, most_bytes: int) -> tuple[float, int]:
    """Frames per second and the promised number of frames, 0 where the file promises none."""
    cv2 = import_cv2()
    rate, count, width, height = (
        float(capture.get(name))
        for name in (
            cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
        )
    )  # fmt: skip
    promised = int(count) if math.isfinite(count) and count > 0 else 0
    _check_size(path, int(width) * int(height) * max(promised, 1), most_bytes)
    return rate, promised


def _check_size(path: Path, n_bytes: int, most_bytes: int) -> None:
    if n_bytes > most_bytes:
        raise DataError(
            "video is too large",
            where=str(path),
            why=f"its frames have {n_bytes:,} pixels together, more than {most_bytes:,}",
            todo="Cut it into sentences, or scale it down",
        )


def _check_rate(path: Path, rate: float, fps: float, resample: bool) -> None:
    known = math.isfinite(rate) and rate > 0
    if known and (resample or abs(rate - fps) <= FPS_TOLERANCE):
        return
    why = f"it has {rate:.2f} frames per second, not {fps:g}" if known else "the file does not say it"
    todo = f"Convert it to {fps:g} frames per second" + (", or read it resampled" if known else "")
    raise DataError("wrong frame rate", where=str(path), why=why, todo=todo)


def _decode(path: Path, capture: Any, most_bytes: int) -> Frames:
    cv2 = import_cv2()
    frames: list[Frames] = []
    while True:
        there, picture = capture.read()
        if not there:
            break
        grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        # A header may lie about the number of frames.
        _check_size(path, grey.size * (len(frames) + 1), most_bytes)
        if frames and grey.shape != frames[0].shape:
            raise DataError(
                "video changes its size",
                where=str(path),
                why=f"frame {len(frames)} is {_size(grey)} pixels, those before are {_size(frames[0])}",
                todo="Convert it to one size",
            )
        frames.append(grey)
    if not frames:
        raise DataError(
            "video has no frames", where=str(path), why="none can be decoded", todo="Replace the file or leave it out"
        )
    return np.stack(frames)


def _size(frame: Frames) -> str:
    return f"{frame.shape[1]} x {frame.shape[0]}"


def _missing(path: Path, n_frames: int, promised: int, keep_broken: bool) -> int:
    """How many promised frames are not there. DataError if that is a break and breaks are not to be kept."""
    missing = promised - n_frames
    if missing <= PROMISE_SLACK_FRAMES:
        return 0
    if keep_broken:
        return missing
    raise DataError(
        "video is broken",
        where=str(path),
        why=f"the file promises {promised} frames, {n_frames} can be decoded",
        todo="Copy the file again, or read it with broken films kept",
    )
