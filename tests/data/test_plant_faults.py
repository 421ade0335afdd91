"""Faults planted by `tools/plant_faults.py`: all found, nothing else reported, and a checker that can tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from recipes.tts.common.corpora import read_ljspeech
from speechkd.data.validate import validate_corpus

TOOL = Path(__file__).resolve().parents[2] / "tools" / "plant_faults.py"


def tool(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted") / "corpus"
    done = tool(folder, "--items", 260, "--seed", 3, "--each", 3)
    assert done.returncode == 0, done.stderr
    return folder


def test_recall_and_precision(corpus: Path, tmp_path: Path) -> None:
    truth = Path(f"{corpus}.truth.json")
    planted = json.loads(truth.read_text(encoding="utf-8"))
    assert planted["items"] == 260 and planted["clean"] >= 20
    assert len({row["fault"] for row in planted["planted"]}) >= 80
    report = validate_corpus(read_ljspeech(corpus), jobs=2)
    report.write_json(tmp_path / "report.json")
    checked = tool("--check", truth, tmp_path / "report.json")
    assert checked.returncode == 0, checked.stdout
    assert "recall 100.0%" in checked.stdout and "precision 100.0%" in checked.stdout


def test_the_checker_counts_what_is_missed_and_what_is_wrong(corpus: Path, tmp_path: Path) -> None:
    truth = Path(f"{corpus}.truth.json")
    report = validate_corpus(read_ljspeech(corpus)).to_json()
    lost = next(problem for problem in report["problems"] if problem["kind"] == "not_finite")
    report["problems"].remove(lost)
    report["problems"].append(lost | {"kind": "clipped"})
    (tmp_path / "report.json").write_text(json.dumps(report), encoding="utf-8")
    checked = tool("--check", truth, tmp_path / "report.json")
    assert checked.returncode == 1
    assert (
        f"{lost['id']}" in checked.stdout and "missed: " in checked.stdout and "wrong: error clipped" in checked.stdout
    )


def test_too_few_items_and_a_folder_that_is_there(corpus: Path, tmp_path: Path) -> None:
    done = tool(tmp_path / "a", "--items", 20)
    assert done.returncode == 1 and "too few" in done.stderr and not (tmp_path / "a").exists()
    done = tool(corpus, "--items", 260)
    assert done.returncode == 2 and "not there yet" in done.stderr
