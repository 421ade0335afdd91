"""MPEG-1 films without pictures: headers and start codes only."""

from __future__ import annotations

import struct


def packet(stream: int, payload: bytes) -> bytes:
    """A packet of a system stream with stuffing, a buffer size and a time stamp before its payload."""
    head = b"\xff\xff" + b"\x60\x2e" + b"\x21\x00\x01\x00\x01"
    return b"\0\0\1" + bytes([stream]) + struct.pack(">H", len(head) + len(payload)) + head + payload


def film(width: int, height: int, pictures: int, bare: bool = False, sound: bytes = b"") -> bytes:
    """A film of 25 pictures a second; `bare`: the video stream alone."""
    sequence = b"\0\0\1\xb3" + (width << 12 | height).to_bytes(3, "big") + b"\x13\xff\xff\xe0\x18"
    video = sequence + b"".join(b"\0\0\1\0" + bytes([9, number, 7, 7]) for number in range(pictures))
    if bare:
        return video
    pack = b"\0\0\1\xba" + b"\x21\x00\x01\x00\x01\x80\x00\x01"
    return pack + packet(0xE0, video) + (packet(0xC0, sound) if sound else b"") + b"\0\0\1\xb9"
