"""From a file to a mouth: read, tracked and cropped in one call, alike for training and for reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from speechkd.errors import DataError
from speechkd.features.mouth.crops import CROP_SIZE, crop_mouths
from speechkd.features.mouth.preview import Picture, contact_sheet
from speechkd.features.mouth.tracking import (
    FaceDetector,
    FrameRange,
    HaarFaces,
    MouthTrack,
    lost_line,
    n_lost,
    track_mouth,
)
from speechkd.features.mouth.video import FPS, Frames, Video, read_video

#: Of a film with a larger share of frames without a face, what stands in its crops is mostly a guess.
MOST_LOST = 0.5


@dataclass(frozen=True)
class FilmOptions:
    """How films become crops.

    size: height and width of a crop in pixels; fixed: one window for the whole film, else it follows the mouth;
    resample: take films of another rate than 25 frames per second; keep_broken: take what is left of films that end
    too early; most_lost: largest share of frames without a face.
    """

    size: tuple[int, int] = CROP_SIZE
    fixed: bool = True
    resample: bool = False
    keep_broken: bool = False
    most_lost: float = MOST_LOST


@dataclass(frozen=True)
class MouthFilm:
    """A film, the windows that were cut out of it, and what was in them: crops (T, height, width) uint8."""

    video: Video
    track: MouthTrack
    crops: Frames

    @property
    def sheet(self) -> Picture:
        """A frame in which the face was found, with the mouth's window, and mouths spread over time."""
        shown = self.track.detected[len(self.track.detected) // 2]
        return contact_sheet(self.crops, self.video.frames[shown], self.track.boxes[shown, None])

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as it should be, a line each: frames without a face, frames that are missing."""
        return film_notes(self.track.lost, self.video.missing_frames, len(self.crops))


def film_mouth(path: Path, how: FilmOptions, detector: FaceDetector | None = None) -> MouthFilm:
    """The mouth in a film, at 25 frames per second. DataError for what `read_video` refuses, and for a film in which
    there is no face, or none in more than `how.most_lost` of its frames. Without a detector, it is OpenCV's cascade.
    """
    video = read_video(path, FPS, resample=how.resample, keep_broken=how.keep_broken)
    track = track_mouth(video.frames, detector or HaarFaces(), where=str(path))
    refuse_lost(path, track.lost, len(video.frames), how.most_lost)
    if how.fixed:
        track = replace(track, boxes=np.tile(track.fixed_box, (len(video.frames), 1)))
    return MouthFilm(video, track, crop_mouths(video.frames, track, how.size))


def film_notes(lost: Sequence[FrameRange], missing: int, n_frames: int) -> tuple[str, ...]:
    """Lines about a film of `n_frames` with these lost ranges that ends `missing` frames early; none if all is well."""
    early = f"the file ends {missing} frames early" if missing else ""
    return tuple(line for line in (lost_line(lost, n_frames), early) if line)


def refuse_lost(path: Path, lost: Sequence[FrameRange], n_frames: int, most_lost: float) -> None:
    """DataError if the face is lost for more than a share `most_lost` of the frames."""
    if n_lost(lost) > most_lost * n_frames:
        raise DataError(
            "the face is mostly lost",
            where=str(path),
            why=f"{lost_line(lost, n_frames)}, more than {most_lost:.0%}",
            todo="Use a film of one speaker seen from the front",
        )
