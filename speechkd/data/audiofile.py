"""What is wrong with a recording as a file, before a sample of it is decoded."""

from __future__ import annotations

import errno
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from speechkd.audio.io import MOST_CHUNKS, wav_header_problem
from speechkd.data.corpus import READABLE_SUFFIXES, Problem, Severity

#: What soundfile calls the formats that a suffix promises.
FORMATS = {".wav": ("WAV", "WAVEX", "RF64", "RIFX"), ".flac": ("FLAC",), ".mpg": ("MP3", "MP2")}


@dataclass(frozen=True)
class Fault:
    """Why a recording cannot be used (or, as a warning, should be looked at)."""

    severity: Severity
    kind: str
    what: str
    todo: str = ""

    def at(self, identifier: str, where: str) -> Problem:
        """This fault as a problem of the utterance `identifier`."""
        return Problem(self.severity, self.kind, identifier, where, self.what, self.todo)


def error(kind: str, what: str, todo: str = "Replace the recording or remove its line.") -> Fault:
    """A fault that stops a recipe."""
    return Fault(Severity.ERROR, kind, what, todo)


def warning(kind: str, what: str, todo: str) -> Fault:
    """A fault to look at."""
    return Fault(Severity.WARNING, kind, what, todo)


def file_fault(path: Path, readable: tuple[str, ...] = READABLE_SUFFIXES) -> Fault | None:
    """The first thing that keeps `path` from being decoded: its kind, its rights, its size, its header."""
    if path.suffix.lower() not in readable:
        return error("unsupported_format", f"{path.suffix} is not read", "Convert it to WAV or FLAC.")
    try:
        status = os.stat(path)
    except OSError as failure:
        return _cannot_look(path, failure)
    if not stat.S_ISREG(status.st_mode):
        return error("not_a_file", "is a folder, a pipe or a device")
    if status.st_size == 0:
        return error("empty_file", "has 0 bytes")
    # The mode is asked, too: the administrator reads what nobody else on the machine may.
    if not os.access(path, os.R_OK) or not status.st_mode & 0o444:
        return error("unreadable", "cannot be read: permission denied", "Make the file readable.")
    try:
        lie = wav_header_problem(path)
    except OSError as failure:
        return error("unreadable", f"cannot be read: {failure.strerror}")
    return error("wrong_length", lie) if lie else None


def _cannot_look(path: Path, failure: OSError) -> Fault:
    if failure.errno == errno.ELOOP:
        return error("link_loop", "is a link that leads back to itself")
    if failure.errno == errno.ENOENT and path.is_symlink():
        return error("dangling_link", "is a link to a file that is gone", "Bring the file back or remove its line.")
    return error("unreadable", f"cannot be read: {failure.strerror}")


def format_fault(path: Path, file_format: str) -> Fault | None:
    """The file's content is not what its suffix says. Lossy formats have no exact length: those are errors."""
    if file_format in FORMATS.get(path.suffix.lower(), (file_format,)):
        return None
    what = f"is {file_format}, not {path.suffix[1:].upper()}"
    if file_format == "FLAC":
        return warning("wrong_suffix", what, "Name it .flac: other programs trust the suffix.")
    return error(
        "wrong_suffix", what, "Convert it: other programs trust the suffix, and lossy sound has no exact ends."
    )


def trailing_fault(path: Path) -> Fault | None:
    """Bytes behind the samples of a RIFF/WAVE file that belong to no chunk."""
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        size = os.fstat(file.fileno()).st_size
        # Some writers count the header or an odd last byte differently.
        end = min(size, 8 + struct.unpack("<I", head[4:8])[0] + 1)
        after = _behind_data(file, size)
        if after is None:
            return None
        stray = size - _after_chunks(file, after, size)
        if stray <= 8:
            return None
        if after + 8 < end:
            what = f"the header promises samples up to byte {after}, {stray} bytes of something follow"
            return error("wrong_length", what)
    return warning("trailing_data", f"{stray} bytes that belong to nothing follow the samples", "Write it again.")


def _behind_data(file: BinaryIO, size: int) -> int | None:
    """Where the chunk after "data" starts; None for a file of other order."""
    at = 12
    for _ in range(MOST_CHUNKS):
        if at + 8 > size:
            return None
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        at += 8 + length + length % 2
        if name == b"data":
            return at
    return None


def _after_chunks(file: BinaryIO, at: int, size: int) -> int:
    """The end of the last sound chunk from `at` on."""
    for _ in range(MOST_CHUNKS):
        if at + 8 > size:
            break
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        behind = at + 8 + length
        if not all(32 <= byte < 127 for byte in name) or behind > size:
            return at
        at = min(behind + length % 2, size)
    return min(at, size)
