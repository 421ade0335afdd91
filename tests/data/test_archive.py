"""Archives: sound ones unpack, one hostile member refuses the whole, damaged ones leave nothing behind."""

from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path

import pytest

from speechkd.data.archive import extract_archive
from speechkd.errors import DataError, SpeechkdError


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.mode = 0o4777
    return info


def write(path: Path, *members: tarfile.TarInfo, mode: str = "w:bz2", content: bytes = b"hello") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for info in members:
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    return path


SOUND = (member("c", tarfile.DIRTYPE), member("c/metadata.csv"), member("c/wavs/a.wav"))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_sound_archive(tmp_path: Path, mode: str) -> None:
    extract_archive(write(tmp_path / "c.tar", *SOUND, mode=mode), tmp_path / "out")
    assert (tmp_path / "out" / "c" / "wavs" / "a.wav").read_bytes() == b"hello"
    assert (tmp_path / "out" / "c" / "metadata.csv").stat().st_mode & 0o7022 == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.tar", "out"]


@pytest.mark.parametrize(
    "hostile",
    [
        member("../evil"),
        member("c/../../evil"),
        member("/evil"),
        member("c\\..\\evil"),
        member("c/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("c/link", tarfile.SYMTYPE, "metadata.csv"),
        member("c/hard", tarfile.LNKTYPE, "c/metadata.csv"),
        member("c/fifo", tarfile.FIFOTYPE),
        member("c/dev", tarfile.CHRTYPE),
        member("c/metadata.csv"),
    ],
    ids=lambda info: f"{info.name}-{info.type!r}",
)
def test_one_hostile_member_refuses_all(tmp_path: Path, hostile: tarfile.TarInfo) -> None:
    with pytest.raises(DataError, match="Archive refused"):
        extract_archive(write(tmp_path / "c.tar", *SOUND, hostile), tmp_path / "in" / "out")
    assert [p.name for p in (tmp_path / "in").iterdir()] == []
    assert not list(tmp_path.rglob("evil"))


def test_too_big(tmp_path: Path) -> None:
    path = write(tmp_path / "c.tar", *SOUND, content=b"0" * 100_000)
    with pytest.raises(DataError, match="more than 150000 bytes"):
        extract_archive(path, tmp_path / "out", max_bytes=150_000)
    assert not (tmp_path / "out").exists()


def test_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="exists already"):
        extract_archive(write(tmp_path / "c.tar", *SOUND), tmp_path / "out")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_damage_gives_our_error_and_nothing_visible(tmp_path: Path, mode: str) -> None:
    sound = write(tmp_path / "c.tar", *SOUND, mode=mode, content=random.Random(0).randbytes(3000)).read_bytes()
    rng = random.Random(1)
    for case in range(40):
        data = bytearray(sound[: rng.randrange(len(sound))]) if case % 2 else bytearray(sound)
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (tmp_path / "c.tar").write_bytes(data)
        out = tmp_path / f"out{case}"
        try:
            extract_archive(tmp_path / "c.tar", out)
        except SpeechkdError:
            assert not out.exists()
    assert not list(tmp_path.glob(".out*"))
