"""`speechkd data`: exit codes, the report on screen and as JSON, and what an unknown name says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from speechkd.cli.data import app
from speechkd.errors import DataError, UsageError

RATE = 22050


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "wavs").mkdir()
    for name in ("a", "b"):
        hz = 200 + 50 * ord(name)
        soundfile.write(tmp_path / "wavs" / f"{name}.wav", 0.3 * np.sin(np.arange(RATE) * 6.28 * hz / RATE), RATE)
    (tmp_path / "metadata.csv").write_text("a|one tree\nb|two trees\n", encoding="utf-8")
    return tmp_path


def test_sound_corpus(corpus: Path) -> None:
    result = CliRunner().invoke(app, ["validate", str(corpus)])
    assert result.exit_code == 0
    assert "2 utterances, 0.00 h: 0 error, 0 warning, 0 info" in result.output


def test_broken_corpus_exits_with_3_and_lists_everything(corpus: Path, tmp_path: Path) -> None:
    (corpus / "wavs" / "a.wav").write_bytes(b"")
    with (corpus / "metadata.csv").open("a", encoding="utf-8") as file:
        file.write("c|[bold]lost[/bold]\n")
    out = tmp_path / "report.json"
    result = CliRunner().invoke(app, ["validate", str(corpus), "--json", str(out)])
    assert result.exit_code == 3
    assert "empty_file: 1 error." in result.output and "  error: wavs/a.wav: has 0 bytes\n" in result.output
    assert "  error: metadata.csv:3:1: wavs has no c.wav or .flac\n" in result.output
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["counts"] == {"error": 2, "info": 0, "warning": 0}
    assert {problem["id"] for problem in report["problems"]} == {"a", "c"}


def test_no_corpus(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["validate", str(tmp_path / "none")])
    assert isinstance(result.exception, DataError)


def test_unknown_download() -> None:
    result = CliRunner().invoke(app, ["download", "nobodys"])
    assert isinstance(result.exception, UsageError)
    assert "ljspeech" in str(result.exception)
