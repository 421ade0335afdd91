"""A WAV file of millions of empty chunks kept its readers busy for minutes."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest

from speechkd.audio.io import MOST_CHUNKS, wav_header_problem
from speechkd.data.audiofacts import Limits, inspect_audio


@pytest.mark.parametrize("samples_first", [False, True])
def test_it_is_given_up_soon(tmp_path: Path, samples_first: bool) -> None:
    path = tmp_path / "a.wav"
    empty = (b"LIST" + struct.pack("<I", 0)) * (200 * MOST_CHUNKS)
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    sound = b"data" + struct.pack("<I", 32000) + bytes(32000)
    body = b"WAVE" + form + (sound + empty if samples_first else empty + sound)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    start = time.process_time()
    problem = wav_header_problem(path)
    _, faults = inspect_audio(path, Limits())
    assert time.process_time() - start < 2.0
    assert faults, "silence, or a header without samples"
    assert (problem is None) == samples_first
