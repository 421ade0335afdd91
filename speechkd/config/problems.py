"""Where a value of a configuration was written, and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from speechkd.errors import ConfigError


@dataclass(frozen=True, order=True)
class Position:
    """The place of a value: a line and a column (both from 1) of a file, or the option that set it (line 0)."""

    source: str
    line: int
    column: int
    folder: Path

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong: where, at which dotted path (empty for the whole file), and what."""

    position: Position
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.position}: {self.path}: {self.message}" if self.path else f"{self.position}: {self.message}"


class ConfigErrors(ConfigError):
    """Every problem of a configuration at once, one line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[object, ...]:
        return ConfigErrors, (self.problems,)
