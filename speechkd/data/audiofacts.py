"""What a recording holds, found by decoding all of it in blocks, and what is wrong with it."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechkd.data.audiofile import Fault, error, file_fault, format_fault, trailing_fault, warning
from speechkd.data.corpus import READABLE_SUFFIXES, Severity
from speechkd.data.mpeg import read_film
from speechkd.errors import DataError

if TYPE_CHECKING:
    import soundfile

__all__ = ["AudioFacts", "Fault", "Limits", "inspect_audio"]

_BLOCK_WINDOWS = 128
_WINDOWS_PER_SECOND = 50
_CLIP_LEVEL = 0.999
_CLIP_RUN = 4
_SILENT_PEAK = 10 ** (-60 / 20)
_QUIET_PEAK = 10 ** (-40 / 20)
# A window this much under the loudest one is a pause.
_PAUSE = 10 ** (-40 / 20)
#: The sound of a film is lossy and carries its encoder's delay: its header says only roughly how long it is.
_FILMS = (".mpg",)


@dataclass(frozen=True)
class Limits:
    """What counts as a problem with a recording."""

    min_duration_s: float = 0.3
    max_duration_s: float = 30.0
    max_clipped_share: float = 0.0005
    max_dc: float = 0.05
    min_sample_rate: int = 16000
    max_leading_s: float = 1.0
    max_trailing_s: float = 1.5
    max_inner_s: float = 1.5
    max_decode_s: float = 20.0


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """A recording in numbers. Levels are relative to full scale; `clipped` counts samples stuck at full scale.

    `level` is the root mean square of the windows of 20 ms within 40 dB of the loudest; the silences are what is
    before, after and (the longest) between those windows, in seconds.
    """

    sample_rate: int
    channels: int
    frames: int
    peak: float
    dc: float
    clipped: int
    digest: str
    level: float = 0.0
    leading_s: float = 0.0
    trailing_s: float = 0.0
    inner_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


def inspect_audio(path: Path, limits: Limits) -> tuple[AudioFacts | None, list[Fault]]:
    """Decode `path` and judge it. Never hangs on a pipe or a loop of links, never loads more than a block at a time.

    Of an MPEG-1 film (.mpg) the sound is judged.
    """
    fault = file_fault(path, READABLE_SUFFIXES + _FILMS)
    if fault:
        return None, [fault]
    behind = trailing_fault(path)
    if behind and behind.severity is Severity.ERROR:
        return None, [behind]
    decoded = _decode(path, limits)
    if isinstance(decoded, Fault):
        return None, [decoded]
    facts, suffix = decoded
    return facts, [*(fault for fault in (behind, suffix) if fault), *_judge(facts, limits)]


def film_faults(path: Path) -> list[Fault]:
    """What is wrong with a film that has its sound in another file."""
    fault = file_fault(path, _FILMS)
    if fault:
        return [fault]
    try:
        read_film(path)
    except DataError as failure:
        return [error("undecodable", f"{failure.what.lower()}: {failure.why}")]
    return []


def _decode(path: Path, limits: Limits) -> tuple[AudioFacts, Fault | None] | Fault:
    """What the file holds and whether it is called something else, or the fault that makes it useless."""
    import soundfile

    try:
        film = path.suffix.lower() in _FILMS
        with soundfile.SoundFile(io.BytesIO(read_film(path).sound) if film else path) as file:
            if file.samplerate < 1 or file.channels < 1:
                return error("undecodable", f"{file.channels} channels at {file.samplerate} Hz")
            suffix = format_fault(path, file.format)
            if suffix and suffix.severity is Severity.ERROR:
                return suffix
            scanned = _Scan(file, limits.max_decode_s, exact=not film).run()
            return scanned if isinstance(scanned, Fault) else (scanned, suffix)
    except DataError as failure:
        return error("undecodable", f"{failure.what.lower()}: {failure.why}")
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as failure:
        reason = str(failure).replace(str(path), path.name)
        return error("undecodable", f"cannot be decoded: {reason}")


class _Scan:
    """One pass over an open file, block by block."""

    def __init__(self, file: soundfile.SoundFile, max_decode_s: float, exact: bool) -> None:
        self._file = file
        self._until = time.monotonic() + max_decode_s
        self._exact = exact
        self._window = max(1, file.samplerate // _WINDOWS_PER_SECOND)
        self._hash = hashlib.sha256()
        self._peak = 0.0
        self._sum = 0.0
        self._clipped = 0
        self._frames = 0
        self._power: list[NDArray[np.float32]] = []

    def run(self) -> AudioFacts | Fault:
        size = self._window * _BLOCK_WINDOWS
        while len(block := self._file.read(size, dtype="float32", always_2d=True)):
            fault = self._add(block)
            if fault:
                return fault
        if self._exact and self._frames != self._file.frames:
            what = f"the header promises {self._file.frames} samples, {self._frames} can be decoded"
            return error("wrong_length", what)
        if not self._frames:
            return error("no_samples", "holds no samples")
        return self._facts()

    def _add(self, block: NDArray[np.float32]) -> Fault | None:
        """Take in a block (T, channels)."""
        top = float(np.abs(block).max())
        if not np.isfinite(top):
            return error("not_finite", "has NaN or infinite samples", "Export the recording again.")
        if time.monotonic() > self._until:
            return error("too_slow", f"is not decoded in time: {self._frames} samples so far", "Cut it into sentences.")
        self._hash.update(np.ascontiguousarray(block).data)
        self._peak = max(self._peak, top)
        self._sum += float(block.sum(dtype=np.float64))
        if top >= _CLIP_LEVEL:
            self._clipped += sum(map(_clipped_samples, block.T))
        self._frames += len(block)
        self._power.append(_window_power(block, self._window))
        return None

    def _facts(self) -> AudioFacts:
        power = np.concatenate(self._power)
        active = np.flatnonzero(power >= power.max() * _PAUSE**2)
        gaps = np.diff(active) - 1
        return AudioFacts(
            sample_rate=int(self._file.samplerate),
            channels=int(self._file.channels),
            frames=self._frames,
            peak=self._peak,
            dc=self._sum / (self._frames * self._file.channels),
            clipped=self._clipped,
            digest=self._hash.hexdigest(),
            level=float(np.sqrt(power[active].mean())),
            leading_s=active[0] / _WINDOWS_PER_SECOND,
            trailing_s=(len(power) - 1 - active[-1]) / _WINDOWS_PER_SECOND,
            inner_s=max(gaps, default=0) / _WINDOWS_PER_SECOND,
        )


def _window_power(block: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Mean square of each window of `block` (T, channels); the last one may be shorter."""
    square = np.einsum("tc,tc->t", block, block) / block.shape[1]
    whole = len(square) // window * window
    power = square[:whole].reshape(-1, window).mean(axis=1)
    return power if whole == len(square) else np.append(power, square[whole:].mean())


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
        # Of so little sound nothing else can be said.
        yield error("too_short", f"lasts {length}, the least is {limits.min_duration_s} s")
        return
    if facts.duration_s > limits.max_duration_s:
        yield error("too_long", f"lasts {length}, the most is {limits.max_duration_s} s", "Cut it into sentences.")
    if facts.peak < _SILENT_PEAK:
        yield error("silent", f"is silent (peak {facts.peak:.2g} of full scale)")
        return
    yield from _judge_level(facts, limits)
    yield from _judge_silence(facts, limits)
    if facts.sample_rate < limits.min_sample_rate:
        what = f"has {facts.sample_rate} Hz, speech above {facts.sample_rate // 2} Hz is lost"
        yield warning("low_sample_rate", what, "Use the original recording.")


def _judge_level(facts: AudioFacts, limits: Limits) -> Iterator[Fault]:
    if facts.peak > 1.5:
        yield error("over_full_scale", f"peaks at {facts.peak:.3g} times full scale", "Scale it to -1 .. 1.")
    elif facts.clipped > limits.max_clipped_share * facts.frames:
        share = facts.clipped / (facts.frames * facts.channels)
        yield warning("clipped", f"{share:.2%} of it is clipped", "Record it again at a lower level.")
    if facts.peak < _QUIET_PEAK:
        what = f"is very quiet (peak {20 * np.log10(facts.peak):.0f} dB)"
        yield warning("quiet", what, "Record it again at a higher level.")
    if abs(facts.dc) > limits.max_dc:
        yield warning("dc_offset", f"has a constant offset of {facts.dc:+.3f}", "High-pass it.")


def _judge_silence(facts: AudioFacts, limits: Limits) -> Iterator[Fault]:
    if facts.leading_s > limits.max_leading_s:
        yield warning("leading_silence", f"starts with {facts.leading_s:.1f} s of silence", "Trim it.")
    if facts.trailing_s > limits.max_trailing_s:
        yield warning("trailing_silence", f"ends with {facts.trailing_s:.1f} s of silence", "Trim it.")
    if facts.inner_s > limits.max_inner_s:
        what = f"has {facts.inner_s:.1f} s of silence inside"
        yield warning("inner_silence", what, "Check that nothing is missing, or cut it there.")
