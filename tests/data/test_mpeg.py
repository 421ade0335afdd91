"""Films: the real ones in numbers that other programs give, and damaged ones refused."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from speechkd.data.audiofacts import Limits, film_faults, inspect_audio
from speechkd.data.mpeg import read_film
from speechkd.errors import DataError
from tests.data.films import film, packet


def test_a_film_made_here(tmp_path: Path) -> None:
    path = tmp_path / "a.mpg"
    path.write_bytes(film(width=320, height=240, pictures=7))
    found = read_film(path)
    assert (found.width, found.height, found.fps, found.frames) == (320, 240, 25.0, 7)
    assert found.duration_s == 0.28 and found.sound == b""
    assert film_faults(path) == []


def test_pictures_and_sound_may_be_cut_anywhere_by_packets(tmp_path: Path) -> None:
    video = film(width=16, height=16, pictures=3, bare=True)
    whole = b"".join(packet(0xE0, video[i : i + 5]) + packet(0xC0, bytes([i % 256])) for i in range(0, len(video), 5))
    (tmp_path / "a.mpg").write_bytes(whole + b"\0\0\1\xb9")
    found = read_film(tmp_path / "a.mpg")
    assert found.frames == 3 and found.sound == bytes(i % 256 for i in range(0, len(video), 5))


def test_damaged_films(tmp_path: Path) -> None:
    path = tmp_path / "a.mpg"
    sound = film(width=320, height=240, pictures=7)
    for data, why in (
        (b"", "0 bytes"),
        (b"RIFF" * 9, "no packet"),
        (sound[:-9], "follow"),
        (packet(0xC0, b"x"), "no pic"),
    ):
        path.write_bytes(data)
        (fault,) = film_faults(path)
        assert why in fault.what and fault.severity == "error"
    rng = random.Random(1)
    for _ in range(200):
        broken = bytearray(sound)
        for _ in range(rng.randrange(1, 6)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        path.write_bytes(broken[: rng.randrange(len(broken))])
        film_faults(path)
    with pytest.raises(DataError, match="No film"):
        read_film(tmp_path / "none.mpg")


def test_real_films(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    """GRID: 75 pictures of 360 x 288 at 25 a second, and three seconds of sound."""
    paths = sorted(shared_data("data/lipreading/grid_s1/raw").glob("*.mpg"))
    for path in paths:
        found = read_film(path)
        assert (found.width, found.height, found.fps, found.frames) == (360, 288, 25.0, 75)
        samples, rate = soundfile.read(io.BytesIO(found.sound))
        assert rate == 44_100 and len(samples) / rate == pytest.approx(3.0, abs=0.06)
        facts, faults = inspect_audio(path, Limits())
        assert facts is not None and facts.frames == len(samples) and faults == []
    cut = tmp_path / "cut.mpg"
    cut.write_bytes(paths[0].read_bytes()[:200_000])
    assert [fault.kind for fault in inspect_audio(cut, Limits())[1]] == ["undecodable"]
