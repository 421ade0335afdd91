"""A toy run with a teacher and its stored targets."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from speechkd.runner import RunOptions, run_recipe
from tests.distill import toy


def run(folder: Path, jobs: int = 1, **changes: int) -> Path:
    """Run the toy recipe; returns its folder."""
    cfg = toy.ToyConfig(run=toy.RunPart(dir=folder), **changes)
    run_recipe(toy.TOY, cfg, RunOptions(jobs=jobs), Console(file=io.StringIO()))
    return folder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with `manifest`, `teacher` and `targets`; do not write there."""
    return run(tmp_path_factory.mktemp("distill") / "run")
