"""The example of the page on distillation runs as it stands."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).resolve().parents[2] / "docs" / "distillation.md"


def test_the_example_runs_and_the_student_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    blocks = [block for block in blocks if "TargetStore" in block]
    assert len(blocks) == 1
    script = tmp_path / "example.py"
    script.write_text(blocks[0], encoding="utf-8")
    torch.manual_seed(0)
    found = runpy.run_path(str(script))
    printed = ast.literal_eval(capsys.readouterr().out)
    assert printed.keys() == {"kd", "size"} and printed["kd"] < 0.05
    batch, weight = found["batch"], found["student"].weight
    start, _ = found["objective"]({"logits": torch.zeros(32, 10)}, found["live"], batch, 100)
    assert start > 2 * printed["kd"] and weight.grad is not None
    for id_ in found["store"].ids:
        alone = {"ids": [id_], "x": found["images"][id_]}
        assert torch.equal(found["teacher"].targets(alone)["logits"], found["live"].targets(alone)["logits"])


def test_the_page_names_what_there_is() -> None:
    """Every name in the table and in backticks that looks like a class is one of the package."""
    import importlib

    modules = ("targets", "teacher", "store", "objective", "schedules", "plan", "taps", "rounds")
    known = {name for module in modules for name in vars(importlib.import_module(f"speechkd.distill.{module}"))}
    table = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    names = {name for line in table for name in re.findall(r"`([A-Z]\w+)`", line.split("|")[1])}
    assert len(names) == 13 and names <= known
