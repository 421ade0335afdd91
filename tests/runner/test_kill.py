"""A run that is killed again and again ends with the same bytes (a short form of tools/kill_test.py)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.runner import toy

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def kill_tool() -> ModuleType:
    """tools/kill_test.py as a module."""
    spec = importlib.util.spec_from_file_location("kill_tool", ROOT / "tools" / "kill_test.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kill_tool"] = module
    spec.loader.exec_module(module)
    return module


def command(bench: Any, jobs: int) -> Any:
    def make(run_dir: Path) -> list[str]:
        sets = [f"run.dir={run_dir}", "pause_s=0.02", "train.steps=20"]
        return [sys.executable, toy.__file__, str(bench.config), "--jobs", str(jobs)] + [
            part for each in sets for part in ("--set", each)
        ]

    return make


@pytest.mark.parametrize(("jobs", "seed"), [(1, 11), (2, 12)])
def test_killed_runs_end_alike(bench: Any, kill_tool: ModuleType, jobs: int, seed: int) -> None:
    lines: list[str] = []
    equal = kill_tool.KillTest(command(bench, jobs), bench.folder, lines.append).run(kills=6, seed=seed)
    assert equal, lines
    assert sum("killed in" in line for line in lines) >= 4, lines


def test_a_difference_is_seen(bench: Any, kill_tool: ModuleType) -> None:
    """The tool must not pass when bytes differ: here they depend on the folder's name."""
    other = bench.folder / "corpus2"
    other.mkdir()
    (other / "odd").write_text("x")

    def make(run_dir: Path) -> list[str]:
        corpus = other if run_dir.name == "killed" else bench.folder / "corpus"
        return [*command(bench, 1)(run_dir), "--set", f"corpus.dir={corpus}"]

    lines: list[str] = []
    assert not kill_tool.KillTest(make, bench.folder, lines.append).run(kills=0, seed=0)
    assert any("differs: manifest/names.json" in line for line in lines)
