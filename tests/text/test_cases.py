"""The tables of cases that come with the package: expectations written by hand, not by the code."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from speechkd.errors import DataError
from speechkd.text.cases import ReadingCase, read_homographs, read_readings, same_reading

CASES = read_readings()
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.written[:30])
def test_reading(case: ReadingCase) -> None:
    heard = case.heard()
    assert same_reading(case.spoken, heard), f"{heard!r} instead of {case.spoken!r}"


def test_the_table_is_wide() -> None:
    counts = Counter(case.category for case in CASES)
    assert len(CASES) >= 380 and len(counts) >= 20 and min(counts.values()) >= 6
    assert len({(case.written, case.options) for case in CASES}) == len(CASES)


def test_what_sounds_the_same() -> None:
    assert same_reading("the FBI, three year old", "the fbi, three year-old")
    assert not same_reading("the CAT", "the cat")
    assert not same_reading("at five PM.", "at five PM")
    assert not same_reading("nineteen ninety", "nineteen nineties")


@pytest.mark.parametrize("line", ["one cell", "a\tb\tc\tnonsense", "a\tb\tc\t\td"])
def test_damaged_tables_are_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text("category\twritten\tspoken\n" + line + "\n")
    with pytest.raises(DataError, match="bad.tsv:2"):
        read_readings(path)
    with pytest.raises(DataError, match="bad.tsv:2"):
        read_homographs(path)


def test_tools_print_what_they_count(tmp_path: Path) -> None:
    path = tmp_path / "two.tsv"
    path.write_text("category\twritten\tspoken\nnumbers\t3 cats\tthree cats\nnumbers\t4 cats\tfive cats\n")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "check_normaliser.py", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "1 of 2" in done.stdout.splitlines()[-1] and "four cats" in done.stdout
    figures = subprocess.run(
        [sys.executable, ROOT / "tools" / "check_homographs.py"], capture_output=True, text=True, check=True
    ).stdout
    assert [line.split()[0] for line in figures.splitlines()] == ["tuned", "heldout"]
