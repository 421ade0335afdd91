"""MPEG-1 films taken apart: what a camera saw in numbers, and the sound track as samples. No decoder of pictures.

ISO/IEC 11172-1 (the packets), 11172-2 (the sequence header). The sound is MPEG audio, which libsndfile decodes.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from speechkd.errors import DataError

_MAX_BYTES = 64 * 2**20
_PACK, _END, _AUDIO, _VIDEO = 0xBA, 0xB9, range(0xC0, 0xE0), range(0xE0, 0xF0)
_PICTURE = re.compile(b"\x00\x00\x01\x00")
_SEQUENCE = b"\x00\x00\x01\xb3"
# Table 2-D.4 of 11172-2.
_FRAME_RATES = (0.0, 24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0)


@dataclass(frozen=True)
class Film:
    """Width and height in pixels, pictures per second, number of pictures, and the MPEG audio stream ("" if none)."""

    width: int
    height: int
    fps: float
    frames: int
    sound: bytes

    @property
    def duration_s(self) -> float:
        """Length of the pictures in seconds."""
        return self.frames / self.fps


def read_film(path: Path) -> Film:
    """Read an MPEG-1 file whole. Raises `DataError` when it is none, or is cut off."""
    try:
        if not path.is_file():
            raise DataError("No film", where=str(path), why="there is no such file")
        if path.stat().st_size > _MAX_BYTES:
            raise DataError("Film too large", where=str(path), why=f"over {_MAX_BYTES} bytes")
        raw = path.read_bytes()
    except OSError as error:
        raise DataError("Cannot read the film", where=str(path), why=error.strerror) from error
    try:
        video, sound = _streams(raw)
        return _film(video, sound)
    except (ValueError, IndexError, struct.error) as error:
        raise DataError("Cannot read the film", where=str(path), why=str(error), todo="Copy it again.") from error


def _film(video: bytes, sound: bytes) -> Film:
    at = video.find(_SEQUENCE)
    if at < 0 or len(video) < at + 8:
        raise ValueError("there is no picture in it")
    size, rate = int.from_bytes(video[at + 4 : at + 7], "big"), video[at + 7] & 15
    width, height = size >> 12, size & 0xFFF
    if not width or not height or not 0 < rate < len(_FRAME_RATES):
        raise ValueError(f"its header says {width} x {height} pixels, frame rate code {rate}")
    return Film(width, height, _FRAME_RATES[rate], len(_PICTURE.findall(video)), sound)


def _streams(raw: bytes) -> tuple[bytes, bytes]:
    """The bytes of the first video and the first audio stream."""
    video, sound = bytearray(), bytearray()
    at = 0
    while at + 4 <= len(raw):
        if raw[at : at + 3] != b"\x00\x00\x01":
            raise ValueError(f"no packet starts at byte {at}")
        code = raw[at + 3]
        if code == _END:
            break
        if code == _PACK:
            at += 12
            continue
        length = struct.unpack_from(">H", raw, at + 4)[0]
        if at + 6 + length > len(raw):
            raise ValueError(f"the packet at byte {at} holds {length} bytes, {len(raw) - at - 6} follow")
        packet = raw[at + 6 : at + 6 + length]
        if code == _VIDEO[0]:
            video += _payload(packet)
        elif code == _AUDIO[0]:
            sound += _payload(packet)
        at += 6 + length
    return bytes(video), bytes(sound)


def _payload(packet: bytes) -> bytes:
    """What follows the stuffing, the buffer size and the time stamps of a packet (11172-1, 2.4.3.3)."""
    at = 0
    while packet[at] == 0xFF:
        at += 1
    if packet[at] >> 6 == 1:
        at += 2
    return packet[at + {2: 5, 3: 10}.get(packet[at] >> 4, 1) :]
