"""The TextGrids of a large corpus are archives of the same files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from recipes.tts.common.align import _write_grids, alignment_to_json
from speechkd.align import Alignment, Interval
from speechkd.runner import ItemStore, ItemWriter


@pytest.fixture
def alignments(tmp_path: Path) -> ItemStore:
    with ItemWriter(tmp_path / "alignment", in_order=True) as writer:
        for index in range(1201):
            end_s = 0.5 + index / 1000
            said = Alignment((Interval(0, end_s, "a"),), (Interval(0, end_s, "AH0"),), end_s)
            writer.add(f"u{index:05d}", meta=alignment_to_json(said))
    return ItemStore(tmp_path / "alignment")


def test_archives_hold_the_same_files(alignments: ItemStore, tmp_path: Path) -> None:
    for name, most in (("loose", 2000), ("a", 1000), ("b", 1000)):
        _write_grids(alignments, tmp_path / name, most)
    assert len(list((tmp_path / "loose").glob("*.TextGrid"))) == 1201
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["0000000.zip", "0001000.zip"]
    found = {}
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
        with zipfile.ZipFile(path) as archive:
            found |= {name: archive.read(name) for name in archive.namelist()}
    assert found == {path.name: path.read_bytes() for path in (tmp_path / "loose").iterdir()}
