"""`speechkd align`: TextGrids and failures of a small corpus, and the comparison table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from speechkd.align import Alignment, Interval, read_textgrid, write_textgrid
from speechkd.cli.align import align
from speechkd.errors import UsageError

app = typer.Typer()
app.command()(align)


def write_grid(folder: Path, name: str, phones: str, shift_s: float = 0.0) -> None:
    folder.mkdir(exist_ok=True)
    labels = phones.split()
    ends = [(i + 1) / len(labels) + (shift_s if i + 1 < len(labels) else 0) for i in range(len(labels))]
    intervals = tuple(Interval(a, b, label) for a, b, label in zip([0.0, *ends], ends, labels, strict=False))
    words = (Interval(intervals[0].end_s, intervals[1].end_s, "word"),)
    write_textgrid(folder / f"{name}.TextGrid", Alignment(words, intervals, 1.0))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    (folder / "wavs").mkdir(parents=True)
    noise = np.random.default_rng(0).normal(0, 0.1, 22050)
    for name in ("u1", "u2"):
        soundfile.write(folder / "wavs" / f"{name}.wav", noise, 22050)
    (folder / "metadata.csv").write_text("u1|a bee\nu2|a bee\nu3|a bee\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_given_textgrids_are_checked_and_rewritten(corpus: Path, tmp_path: Path, jobs: str) -> None:
    write_grid(tmp_path / "mine", "u1", "AH B IY")
    write_grid(tmp_path / "mine", "u2", "AH P IY")
    out = tmp_path / "out"
    arguments = [str(corpus), str(out), "--backend", "given", "--given", str(tmp_path / "mine"), "--jobs", jobs]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 3, result.output
    assert "1 of 3 aligned" in result.output
    assert [phone.label for phone in read_textgrid(out / "u1.TextGrid").phones] == ["AH0", "B", "IY1"]
    failures = [json.loads(line) for line in (out / "failures.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {failure["id"]: "[P]" in failure["reason"] for failure in failures} == {"u2": True, "u3": False}
    assert sorted(path.name for path in out.glob("*.TextGrid")) == ["u1.TextGrid"]


def test_compare(tmp_path: Path) -> None:
    write_grid(tmp_path / "a", "u1", "AH B IY")
    write_grid(tmp_path / "b", "u1", "AH B IY", shift_s=0.03)
    result = CliRunner().invoke(app, [str(tmp_path / "a"), str(tmp_path / "b"), "--compare"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "+30.0 ms" in result.output and "100.0%" in result.output


def test_usage(corpus: Path, tmp_path: Path) -> None:
    for arguments in (["--backend", "given"], ["--backend", "magic"]):
        result = CliRunner().invoke(app, [str(corpus), str(tmp_path / "out"), *arguments])
        assert isinstance(result.exception, UsageError)
