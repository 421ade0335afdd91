"""Telling a person how a training goes: progress bar, log, TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Self

from torch.utils.tensorboard import SummaryWriter

from speechkd.runner import Context


class StageMonitor:
    """Shows a run's history in the stage's log, its progress bar, and `logs/tensorboard` of the run folder.

    Trainings of other stages than `train`, and several of one stage (`name`), have a folder of their own in it, or
    their curves would be one.
    """

    def __init__(self, ctx: Context, max_steps: int, name: str = "") -> None:
        self.ctx = ctx
        self.bar_context = ctx.progress(max_steps, f"training {name}".rstrip())
        folder = ctx.folder.path / "logs" / "tensorboard"
        self.writer = SummaryWriter(str((folder if ctx.stage.name == "train" else folder / ctx.stage.name) / name))
        self.done = 0
        self.started = time.monotonic()
        self.first_step = 0

    def __enter__(self) -> Self:
        self.bar = self.bar_context.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.writer.close()
        self.bar_context.__exit__(*error)

    def row(self, row: Mapping[str, Any]) -> None:
        """Log a row; training rows go to TensorBoard alone, or the log would be nothing else."""
        values = {k: v for k, v in row.items() if isinstance(v, float)}
        for name, value in values.items():
            self.writer.add_scalar(f"{row['kind']}/{name}", value, row["step"])
        text = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        if row["step"] > self.first_step:
            minutes = (time.monotonic() - self.started) / 60
            place = f"step {row['step']}  epoch {row['epoch']}  {row['kind']}"
            self.ctx.log.info("%s  %s  (%.1f min)", place, text, minutes)

    def advance(self, step: int, loss: float) -> None:
        """Move the bar to a step."""
        if loss != loss:  # a resumed run announces where it stands, with no loss yet
            self.first_step = step
            self.bar.resume_at(step)
        else:
            self.bar.advance(step - self.done, loss=f"{loss:.3f}")
        self.done = step

    def message(self, text: str) -> None:
        """A line in the log."""
        self.ctx.log.info("%s", text)
