"""Boundary errors between two folders of TextGrids, against figures counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechkd.align import Alignment, Interval, write_textgrid
from speechkd.align.compare import compare_alignments
from speechkd.errors import DataError


def write(folder: Path, name: str, *words: tuple[float, float, str]) -> None:
    folder.mkdir(exist_ok=True)
    intervals = tuple(Interval(*word) for word in words)
    write_textgrid(folder / f"{name}.TextGrid", Alignment(intervals, (Interval(0, 2, "AH"),), 2.0))


def test_figures(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    write(first, "x", (0.1, 0.5, "one"), (0.5, 0.9, "<unk>"), (0.9, 1.4, "Two"))
    write(second, "x", (0.12, 0.51, "one"), (0.51, 0.87, "odd"), (0.87, 1.5, "two"))
    write(first, "only", (0.1, 0.5, "one"))
    result = compare_alignments(first, second)
    # differences in ms: starts +20 -30, ends +10 +100
    assert result.both.boundaries == 4
    assert (result.both.mean_ms, result.both.median_ms, result.both.bias_ms) == (40.0, 25.0, 25.0)
    assert (result.both.within_10_ms, result.both.within_20_ms, result.both.within_50_ms) == (0.25, 0.5, 0.75)
    assert (result.starts.bias_ms, result.ends.bias_ms) == (-5.0, 55.0)
    assert (result.utterances, result.words_unmatched) == (1, 2)
    assert (result.only_in_reference, result.only_in_other) == (("only",), ())


def test_nothing_shared(tmp_path: Path) -> None:
    write(tmp_path / "a", "x", (0.1, 0.5, "one"))
    write(tmp_path / "b", "y", (0.1, 0.5, "one"))
    with pytest.raises(DataError, match="0 TextGrids"):
        compare_alignments(tmp_path / "a", tmp_path / "b")
