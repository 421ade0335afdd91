"""What a person sees of a run: one line per stage, progress with the time left, and a log file per stage."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_LINE_EVERY_S = 10.0
_LOGGED = ("speechkd", "recipes")


class Bar(Protocol):
    """A progress bar."""

    def advance(self, n: float = 1, **fields: object) -> None:
        """`n` more are done; `fields` (such as loss=0.5) are shown beside the bar."""

    def resume_at(self, done: float) -> None:
        """So much was done before this run: it counts, but says nothing about this run's speed."""


class Reporter:
    """Writes to a console: live bars on a terminal, plain lines anywhere else."""

    def __init__(self, console: Console | None = None) -> None:
        if console is None:
            from rich.console import Console

            console = Console(stderr=True)
        self.console = console
        self._progress: Progress | None = None

    def line(self, text: str) -> None:
        """One plain line."""
        try:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        except SystemExit:  # rich's answer to a closed pipe; a stage must not take it for its own failure
            raise KeyboardInterrupt from None

    @contextlib.contextmanager
    def bar(self, total: int | None, label: str) -> Iterator[Bar]:
        """A progress bar for `total` things (None: not known)."""
        if not self.console.is_terminal:
            lines = _Lines(self, total, label)
            yield lines
            lines.close()
            return
        outermost = self._progress is None
        progress = self._progress = self._progress or _make_progress(self.console)
        if outermost:
            progress.start()
        task = progress.add_task(label, total=total, fields_text="")
        try:
            yield _Live(progress, task)
        finally:
            progress.remove_task(task)
            if outermost:
                progress.stop()
                self._progress = None

    @contextlib.contextmanager
    def logging_to(self, path: Path) -> Iterator[None]:
        """While inside, what the library logs goes to the file (appended, with times) and to the console."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _QuietFileHandler(path, encoding="utf-8", errors="backslashreplace", delay=True)
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handlers: list[logging.Handler] = [file, _ConsoleHandler(self)]
        loggers = [logging.getLogger(name) for name in _LOGGED]
        before = [(logger.level, logger.propagate) for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.INFO)
            logger.propagate = False
            for handler in handlers:
                logger.addHandler(handler)
        try:
            yield
        finally:
            for logger, (level, propagate) in zip(loggers, before, strict=True):
                logger.setLevel(level)
                logger.propagate = propagate
                for handler in handlers:
                    logger.removeHandler(handler)
            file.close()


class _QuietFileHandler(logging.FileHandler):
    """A log that cannot be written (full disk) must not hide the error of the stage."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write if possible."""
        with contextlib.suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing."""


class _ConsoleHandler(logging.Handler):
    """Log lines on the console, without tracebacks (those are in the file)."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.INFO)
        self.reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message."""
        if not getattr(record, "file_only", False):
            prefix = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
            self.reporter.line(f"  {prefix}{record.getMessage()}")


class _Live:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress = progress
        self.task = task

    def advance(self, n: float = 1, **fields: object) -> None:
        self.progress.advance(self.task, n)
        if fields:
            self.progress.update(self.task, fields_text=_show(fields))

    def resume_at(self, done: float) -> None:
        self.progress.reset(self.task, completed=done)  # type: ignore[arg-type]  # an int by name only


class _Lines:
    """Progress as a line every ten seconds."""

    def __init__(self, reporter: Reporter, total: int | None, label: str) -> None:
        self.reporter, self.total, self.label = reporter, total, label
        self.done = self.before = 0.0
        self.fields: dict[str, object] = {}
        self.start = self.last = time.monotonic()

    def resume_at(self, done: float) -> None:
        self.done = self.before = done
        self.start = self.last = time.monotonic()

    def advance(self, n: float = 1, **fields: object) -> None:
        self.done += n
        self.fields.update(fields)
        if time.monotonic() - self.last >= _LINE_EVERY_S:
            self.last = time.monotonic()
            self._print()

    def close(self) -> None:
        if self.last > self.start:
            self._print()

    def _print(self) -> None:
        share, left = "", ""
        if self.total:
            seconds_each = (self.last - self.start) / max(self.done - self.before, 1e-9)
            seconds_left = seconds_each * (self.total - self.done)
            share, left = f"/{self.total} ({100 * self.done / self.total:.0f} %)", f", {_clock(seconds_left)} left"
        fields = f", {_show(self.fields)}" if self.fields else ""
        self.reporter.line(f"  {self.label}: {self.done:g}{share}{left}{fields}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _show(fields: dict[str, Any]) -> str:
    parts = (f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in fields.items())
    return " ".join(parts)


def _make_progress(console: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("  {task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[fields_text]}", markup=False),
        console=console,
        transient=True,
    )
