"""What a recording holds, found by decoding all of it in blocks, and what is wrong with it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechkd.audio.io import wav_header_problem
from speechkd.data.corpus import READABLE_SUFFIXES, Problem, Severity

if TYPE_CHECKING:
    import soundfile

_BLOCK_FRAMES = 1 << 16
_CLIP_LEVEL = 0.999
_CLIP_RUN = 4
_SILENT_PEAK = 10 ** (-60 / 20)


@dataclass(frozen=True)
class Limits:
    """What counts as a problem with a recording."""

    min_duration_s: float = 0.3
    max_duration_s: float = 30.0
    max_clipped_share: float = 0.0005
    max_dc: float = 0.05
    min_sample_rate: int = 16000


@dataclass(frozen=True)
class AudioFacts:
    """A recording in numbers. Levels are relative to full scale; `clipped` counts samples stuck at full scale."""

    sample_rate: int
    channels: int
    frames: int
    peak: float
    dc: float
    clipped: int
    digest: str

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


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


def inspect_audio(path: Path, limits: Limits) -> tuple[AudioFacts | None, list[Fault]]:
    """Decode `path` and judge it. Never hangs on a pipe or a loop of links, never loads more than a block at a time."""
    fault = _file_fault(path)
    if fault:
        return None, [fault]
    decoded = _decode(path)
    if isinstance(decoded, Fault):
        return None, [decoded]
    return decoded, list(_judge(decoded, limits))


def _error(kind: str, what: str, todo: str = "Replace the recording or remove its line.") -> Fault:
    return Fault(Severity.ERROR, kind, what, todo)


def _file_fault(path: Path) -> Fault | None:
    if path.suffix.lower() not in READABLE_SUFFIXES:
        return _error("unsupported_format", f"{path.suffix} is not read", "Convert it to WAV or FLAC.")
    try:
        status = os.stat(path)
    except OSError as error:
        return _error("unreadable", f"cannot be read: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return _error("not_a_file", "is a folder, a pipe or a device")
    if status.st_size == 0:
        return _error("empty_file", "has 0 bytes")
    if not os.access(path, os.R_OK):
        return _error("unreadable", "cannot be read: permission denied", "Make the file readable.")
    try:
        lie = wav_header_problem(path)
    except OSError as error:
        return _error("unreadable", f"cannot be read: {error.strerror}")
    return _error("wrong_length", lie) if lie else None


def _decode(path: Path) -> AudioFacts | Fault:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            if file.samplerate < 1 or file.channels < 1:
                return _error("undecodable", f"{file.channels} channels at {file.samplerate} Hz")
            return _Scan(file).run()
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
        reason = str(error).replace(str(path), path.name)
        return _error("undecodable", f"cannot be decoded: {reason}")


class _Scan:
    """One pass over an open file, block by block."""

    def __init__(self, file: soundfile.SoundFile) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._peak = 0.0
        self._sum = 0.0
        self._clipped = 0
        self._frames = 0

    def run(self) -> AudioFacts | Fault:
        while len(block := self._file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
            if not np.isfinite(block).all():
                return _error("not_finite", "has NaN or infinite samples", "Export the recording again.")
            self._add(block)
        if self._frames != self._file.frames:
            what = f"the header promises {self._file.frames} samples, {self._frames} can be decoded"
            return _error("wrong_length", what)
        if not self._frames:
            return _error("no_samples", "holds no samples")
        mean = self._sum / (self._frames * self._file.channels)
        return AudioFacts(
            sample_rate=int(self._file.samplerate),
            channels=int(self._file.channels),
            frames=self._frames,
            peak=self._peak,
            dc=mean,
            clipped=self._clipped,
            digest=self._hash.hexdigest(),
        )

    def _add(self, block: NDArray[np.float32]) -> None:
        self._hash.update(block.tobytes())
        self._peak = max(self._peak, float(np.abs(block).max()))
        self._sum += float(block.sum(dtype=np.float64))
        self._clipped += sum(map(_clipped_samples, block.T))
        self._frames += len(block)


def _clipped_samples(channel: NDArray[np.float32]) -> int:
    """Samples of `channel` (T,) in runs of at least four at full scale: a lone peak may touch it rightly."""
    full = np.abs(channel) >= _CLIP_LEVEL
    if not full.any():
        return 0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], full.view(np.int8), [0]))))
    runs = edges[1::2] - edges[::2]
    return int(runs[runs >= _CLIP_RUN].sum())


def _judge(facts: AudioFacts, limits: Limits) -> Iterator[Fault]:
    length = f"{facts.duration_s:.2f} s"
    if facts.duration_s < limits.min_duration_s:
        yield _error("too_short", f"lasts {length}, the least is {limits.min_duration_s} s")
    if facts.duration_s > limits.max_duration_s:
        yield _error("too_long", f"lasts {length}, the most is {limits.max_duration_s} s", "Cut it into sentences.")
    if facts.peak < _SILENT_PEAK:
        yield _error("silent", f"is silent (peak {facts.peak:.2g} of full scale)")
    if facts.peak > 1.5:
        yield _error("over_full_scale", f"peaks at {facts.peak:.3g} times full scale", "Scale it to -1 .. 1.")
    if facts.clipped > limits.max_clipped_share * facts.frames:
        share = facts.clipped / facts.frames
        yield Fault(Severity.WARNING, "clipped", f"{share:.2%} of it is clipped", "Record it again at a lower level.")
    if abs(facts.dc) > limits.max_dc:
        yield Fault(Severity.WARNING, "dc_offset", f"has a constant offset of {facts.dc:+.3f}", "High-pass it.")
    if facts.sample_rate < limits.min_sample_rate:
        what = f"has {facts.sample_rate} Hz, speech above {facts.sample_rate // 2} Hz is lost"
        yield Fault(Severity.WARNING, "low_sample_rate", what, "Use the original recording.")
    if facts.channels > 1:
        what = f"has {facts.channels} channels, their mean is used"
        yield Fault(Severity.WARNING, "channels", what, "Export it as mono.")
