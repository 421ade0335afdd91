"""A resumed training took the steps of the run before it for its own: minutes left were told where hours were."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console
from rich.progress import Progress

from speechkd.runner import report


def test_lines_judge_by_this_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 0.0, *[20.0] * 10])  # made, resumed; then 20 s for 10 steps
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    written = io.StringIO()
    reporter = report.Reporter(Console(file=written, width=200))
    lines = report._Lines(reporter, 100, "training")
    lines.resume_at(50)
    lines.advance(10)
    assert "60/100 (60 %), 1:20 left" in written.getvalue()  # 40 steps at 2 s each


def test_the_bar_judges_by_this_run_alone() -> None:
    now = [0.0]
    progress = Progress(console=Console(file=io.StringIO()), get_time=lambda: now[0])
    task = progress.add_task("training", total=100, fields_text="")
    live = report._Live(progress, task)
    live.resume_at(50)
    for _ in range(10):
        now[0] += 2.0
        live.advance(1)
    assert progress.tasks[0].completed == 60
    assert progress.tasks[0].time_remaining == pytest.approx(80, rel=0.05)
