"""The pages name the folder in which a new experiment really runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recipes.tts.fastspeech2 import RECIPE
from speechkd.cli.main import main
from speechkd.config import load_config

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_a_new_experiments_folder_is_the_one_that_pages_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "myvoice", "--layout", "ljspeech"]) == 0
    run_dir = load_config(tmp_path / "egs/myvoice/tts1/conf/fastspeech2.yaml", RECIPE.config).run.dir
    named = {
        (page.name, found) for page in PAGES for found in re.findall(r"\bexp/myvoice/\w+", page.read_text("utf-8"))
    }
    assert {page for page, _ in named} >= {"README.md", "aligning.md", "training_your_voice.md"}
    assert {found for _, found in named} == {run_dir.relative_to(tmp_path).as_posix()}
