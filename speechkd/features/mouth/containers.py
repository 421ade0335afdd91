"""What kind of file a film is, by its first bytes.

FFmpeg opens whatever it recognises, playlists that name other files and addresses among them. Only files that hold
their pictures themselves pass here.
"""

from __future__ import annotations

import mmap
from pathlib import Path

import soundfile

from speechkd.errors import DataError

_HEAD_BYTES = 12
# Name of the container, place of its mark, the mark.
_CONTAINERS = (
    ("AVI", 8, b"AVI "),
    ("MP4 or MOV", 4, b"ftyp"),
    ("MP4 or MOV", 4, b"moov"),
    ("MP4 or MOV", 4, b"mdat"),
    ("MP4 or MOV", 4, b"wide"),
    ("MP4 or MOV", 4, b"free"),
    ("Matroska or WebM", 0, b"\x1a\x45\xdf\xa3"),
    ("MPEG", 0, b"\x00\x00\x01\xba"),
    ("MPEG", 0, b"\x00\x00\x01\xb3"),
    ("Ogg", 0, b"OggS"),
    ("Windows Media", 0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
)
# The handlers of an MP4's sound and picture.
_MP4_SOUND, _MP4_PICTURE = b"soun", b"vide"


def check_container(path: Path) -> None:
    """DataError unless `path` is a file of a kind that holds pictures."""
    if not path.is_file():
        raise DataError("video file is missing", where=str(path), todo="Restore the file or leave it out")
    head = _head(path)
    if not head:
        raise DataError("video file is empty (0 bytes)", where=str(path), todo="Replace the file or leave it out")
    if any(head[at : at + len(mark)] == mark for _, at, mark in _CONTAINERS):
        return
    if sound_alone(path):
        raise no_picture(path)
    known = ", ".join(dict.fromkeys(name for name, _, _ in _CONTAINERS))
    raise DataError(
        "not a video",
        where=str(path),
        why=f"its first bytes are none of {known}",
        todo="Give a video file, or convert it to MP4",
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise DataError("video file cannot be read", where=str(path), why=error.strerror or str(error)) from error


def no_picture(path: Path) -> DataError:
    """The error for a file of sound alone."""
    why = "the file holds sound alone"
    return DataError("there is no picture", where=str(path), why=why, todo="Give the file of the film")


def sound_alone(path: Path) -> bool:
    """Whether a file is a recording, or an MP4 with a track of sound and none of pictures. path: not empty."""
    try:
        soundfile.info(path)
    except (soundfile.SoundFileError, OSError):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data[4:8] == b"ftyp" and data.find(_MP4_SOUND) >= 0 and data.find(_MP4_PICTURE) < 0
    return True
