"""A toy corpus, and a way to run the toy recipe over it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from speechkd.config import load_config
from speechkd.runner import RunOptions, list_stages, run_recipe
from tests.runner import toy


class Bench:
    """A folder with a corpus, a config and a run."""

    def __init__(self, folder: Path, n_items: int = 40) -> None:
        self.folder = folder
        self.run_dir = folder / "run"
        self.config = folder / "toy.yaml"
        self.config.write_text("run: {dir: run}\ncorpus: {dir: corpus}\n")
        (folder / "corpus").mkdir()
        for index in range(n_items):
            self.add(f"item{index:03d}")

    def add(self, name: str) -> None:
        """One more item."""
        (self.folder / "corpus" / name).write_text(name)

    def cfg(self, *overrides: str) -> Any:
        """The configuration."""
        return load_config(self.config, toy.ToyConfig, overrides)

    def run(self, *overrides: str, **options: Any) -> list[str]:
        """Run the recipe; returns the lines on the console."""
        out = io.StringIO()
        run_recipe(toy.TOY, self.cfg(*overrides), RunOptions(**options), Console(file=out, width=200))
        return out.getvalue().splitlines()

    def states(self, *overrides: str, verify: bool = False) -> list[str]:
        """The states of the four stages."""
        return [status.text for status in list_stages(toy.TOY, self.cfg(*overrides), verify)]

    def files(self) -> dict[str, tuple[int, int]]:
        """Every file and folder of the run: modification time and inode."""
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in self.run_dir.rglob("*")}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A fresh toy run."""
    return Bench(tmp_path)


@pytest.fixture
def make_bench() -> Callable[..., Bench]:
    """Makes more of them."""

    def make(folder: Path, n_items: int = 40) -> Bench:
        folder.mkdir(parents=True)
        return Bench(folder, n_items)

    return make
