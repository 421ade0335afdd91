"""Samples to audio files of several formats, at once or as they are made. libsndfile does the encoding."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from speechkd.errors import ResourceError, UsageError

Samples = npt.NDArray[np.float32]
# Opus knows five sample rates; this is the lowest that keeps all that a voice of 22.05 or 24 kHz has.
_OPUS_RATE = 24_000
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_UNKNOWN_BYTES = 0xFFFFFFFF
# The numbers of a WAV's header have 32 bits; what else is in it takes less than this.
_MOST_WAV_BYTES = 2**32 - 4096
# An mp3 of changing bit rates wants a table of contents at its start; without one its length is guessed wrongly.
# This level is about 64 kbit/s at 22.05 kHz.
_STEADY_MP3 = {"bitrate_mode": "CONSTANT", "compression_level": 0.6}


@dataclass(frozen=True)
class Format:
    """A kind of audio file, and what libsndfile calls it.

    `whole`: its header holds the length, so that it is best sent in one piece.
    """

    name: str
    container: str
    encoding: str
    media_type: str
    whole: bool = False

    def rate(self, voice_rate: int) -> int:
        """The sample rate that a voice of `voice_rate` Hz is written in: its own, where the format can."""
        return voice_rate if self.encoding != "OPUS" or voice_rate in _OPUS_RATES else _OPUS_RATE

    @property
    def settings(self) -> dict[str, object]:
        """How libsndfile is to encode it."""
        return dict(_STEADY_MP3) if self.container == "MP3" else {}


_ALL = (
    Format("wav", "WAV", "PCM_16", "audio/wav", whole=True),
    Format("flac", "FLAC", "PCM_16", "audio/flac", whole=True),
    Format("mp3", "MP3", "MPEG_LAYER_III", "audio/mpeg"),
    Format("ogg", "OGG", "VORBIS", "audio/ogg"),
    Format("opus", "OGG", "OPUS", "audio/ogg"),
    Format("pcm", "RAW", "PCM_16", "audio/pcm"),
)
#: What can be written here, by name, which is also the suffix of a file: an old libsndfile writes no mp3.
FORMATS = {each.name: each for each in _ALL if each.encoding in soundfile.available_subtypes(each.container)}


def format_of(path: Path) -> Format:
    """The format that a file's suffix names; UsageError for another suffix."""
    name = path.suffix.lower().removeprefix(".")
    if name not in FORMATS:
        todo = f"Use a name that ends in {', '.join(f'.{known}' for known in FORMATS)}"
        raise UsageError(f"cannot write audio to {path.name!r}", why="its suffix names no known format", todo=todo)
    return FORMATS[name]


def encode(samples: Samples, sample_rate: int, fmt: Format) -> bytes:
    """A whole file of samples (T,) in [-1, 1]."""
    rate = fmt.rate(sample_rate)
    file = io.BytesIO()
    endian = "LITTLE" if fmt.container == "RAW" else None
    data = _resampled(samples, sample_rate, rate)
    soundfile.write(file, data, rate, format=fmt.container, subtype=fmt.encoding, endian=endian, **fmt.settings)
    return file.getvalue()


def encode_pieces(pieces: Iterable[Samples], sample_rate: int, fmt: Format) -> Iterator[bytes]:
    """The bytes of one file, some after each piece (T,); a header cannot tell the length and says so."""
    if fmt.container in ("RAW", "WAV"):
        yield from _plain_pieces(pieces, sample_rate, fmt)
        return
    rate = fmt.rate(sample_rate)
    made = _Tape()
    with soundfile.SoundFile(made, "w", rate, 1, format=fmt.container, subtype=fmt.encoding, **fmt.settings) as file:
        for piece in _resampled_pieces(pieces, sample_rate, rate):
            file.write(piece)
            yield made.take()
    yield made.take()


def write_pieces(path: Path, pieces: Iterable[Samples], sample_rate: int, fmt: Format) -> None:
    """Write one file, piece (T,) by piece, in the memory of one piece. Its header is right.

    Raises ResourceError for a WAV that would be longer than its format can say, and when the place cannot be written.
    """
    rate, written = fmt.rate(sample_rate), 0
    endian = "LITTLE" if fmt.container == "RAW" else None
    try:
        with soundfile.SoundFile(
            str(path), "w", rate, 1, format=fmt.container, subtype=fmt.encoding, endian=endian, **fmt.settings
        ) as file:
            for piece in _resampled_pieces(pieces, sample_rate, rate):
                written += 2 * len(piece)
                if fmt.container == "WAV" and written > _MOST_WAV_BYTES:
                    why = "a WAV file holds 4 GB at most"
                    raise ResourceError("the speech is too long", where=str(path), why=why, todo="Write .flac or .mp3")
                file.write(piece)
    except soundfile.SoundFileError as error:
        raise ResourceError("the file cannot be written", where=str(path), why=str(error)) from error


def _plain_pieces(pieces: Iterable[Samples], sample_rate: int, fmt: Format) -> Iterator[bytes]:
    header = _endless_wav_header(sample_rate) if fmt.container == "WAV" else b""
    for piece in pieces:
        yield header + encode(piece, sample_rate, FORMATS["pcm"])
        header = b""


def _endless_wav_header(sample_rate: int) -> bytes:
    """RIFF/WAVE, 16 bits, one channel, of the greatest length: what players take for "until it ends"."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", _UNKNOWN_BYTES, b"WAVE") + form + struct.pack("<4sI", b"data", _UNKNOWN_BYTES)


def _resampled(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    return np.concatenate(list(_resampled_pieces([samples], from_rate, to_rate)))


def _resampled_pieces(pieces: Iterable[Samples], from_rate: int, to_rate: int) -> Iterator[Samples]:
    if from_rate == to_rate:
        yield from pieces
        return
    try:
        import soxr
    except ImportError as error:
        todo = "Type: pip install soxr; or take another format"
        raise ResourceError(f"{to_rate} Hz need the package soxr", why="it is not installed", todo=todo) from error
    stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32")
    for piece in pieces:
        yield np.asarray(stream.resample_chunk(piece), np.float32)
    yield np.asarray(stream.resample_chunk(np.zeros(0, np.float32), last=True), np.float32)


class _Tape(io.RawIOBase):
    """A file of which each byte is handed on once: a header that is corrected later stays as it was sent."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._start = self._position = 0

    def take(self) -> bytes:
        """What was written behind the last byte that was taken."""
        taken = bytes(self._kept)
        self._start += len(taken)
        self._kept.clear()
        return taken

    def write(self, data: object) -> int:
        """Write at the position; bytes that are gone already are passed over."""
        content = bytes(data)  # type: ignore[call-overload]  # any buffer
        at = self._position - self._start
        self._position += len(content)
        fresh = content[max(0, -at) :]
        self._kept[max(0, at) : max(0, at) + len(fresh)] = fresh
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file; its end is that of all that was written."""
        end = self._start + len(self._kept)
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: end}[whence]
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def seekable(self) -> bool:
        """True, to libsndfile."""
        return True
