"""A recipe that trains its own teacher wrote both trainings into one folder, where TensorBoard drew them as one."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from recipes.tts.common.monitor import StageMonitor


def context(folder: Path, stage: str) -> Any:
    bar = nullcontext(SimpleNamespace(advance=lambda *_: None))
    names = {"folder": SimpleNamespace(path=folder), "stage": SimpleNamespace(name=stage)}
    return SimpleNamespace(**names, log=logging.getLogger("test"), progress=lambda *_: bar)


def test_each_stage_has_curves_of_its_own(tmp_path: Path) -> None:
    for stage in ("teach", "train"):
        with StageMonitor(context(tmp_path, stage), 1) as monitor:
            monitor.row({"kind": "train", "step": 1, "epoch": 0, "loss": 1.0})
    places = sorted(path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("events.*"))
    assert places == ["logs/tensorboard", "logs/tensorboard/teach"]
