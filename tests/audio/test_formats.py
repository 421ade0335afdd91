"""Audio files of every format, at once and as they are made, read back by libsndfile's own reader."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechkd.audio import formats
from speechkd.audio.formats import FORMATS, encode, encode_pieces, format_of, write_pieces
from speechkd.errors import ResourceError, UsageError

RATE = 22_050
TONE = (0.4 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)).astype(np.float32)
PIECES = [TONE[:5000], TONE[5000:5001], TONE[5001:]]


def read(data: bytes, name: str) -> tuple[np.ndarray, int]:
    if name == "pcm":
        return np.frombuffer(data, "<i2").astype(np.float32) / 32768, RATE
    samples, rate = soundfile.read(io.BytesIO(with_length(data) if name == "flac" else data), dtype="float32")
    return samples, rate


def with_length(flac: bytes) -> bytes:
    """The head of a streamed FLAC says 0 samples, for "unknown", at which this reader seeks in vain: tell it."""
    told = int.from_bytes(flac[18:26], "big")  # 28 bits of rate, channels and width, then 36 of the length
    assert told & (2**36 - 1) in (0, len(TONE))
    return flac[:18] + (told >> 36 << 36 | len(TONE)).to_bytes(8, "big") + flac[26:]


def frequency(samples: np.ndarray, rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


@pytest.mark.parametrize("name", FORMATS)
def test_at_once_in_pieces_and_into_a_file(name: str, tmp_path: Path) -> None:
    fmt = FORMATS[name]
    path = tmp_path / f"a.{name}"
    write_pieces(path, PIECES, RATE, fmt)
    for data in (encode(TONE, RATE, fmt), b"".join(encode_pieces(PIECES, RATE, fmt)), path.read_bytes()):
        samples, rate = read(data, name)
        assert rate == fmt.rate(RATE)
        assert abs(len(samples) / rate - 1.0) < 0.15
        assert frequency(samples, rate) == pytest.approx(220, abs=2)
        if name in ("wav", "flac", "pcm"):
            np.testing.assert_allclose(samples, TONE, atol=1 / 32000)


def test_bytes_of_a_stream_come_as_the_pieces_do() -> None:
    coming = encode_pieces(iter(PIECES), RATE, FORMATS["wav"])
    first = next(coming)
    assert first[:4] == b"RIFF" and len(first) == 44 + 2 * 5000


def test_suffixes_name_formats() -> None:
    assert format_of(Path("a/B.WAV")).name == "wav" and format_of(Path("x.flac")).container == "FLAC"
    for wrong in ("a.doc", "a", ".wav", "wav"):
        with pytest.raises(UsageError, match="no known format"):
            format_of(Path(wrong))


def test_a_wav_that_would_be_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_MOST_WAV_BYTES", 20_000)
    with pytest.raises(ResourceError, match=r"4 GB.*\.flac"):
        write_pieces(tmp_path / "a.wav", PIECES, RATE, FORMATS["wav"])
    write_pieces(tmp_path / "a.flac", PIECES, RATE, FORMATS["flac"])
