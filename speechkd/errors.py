"""Errors for people: what went wrong, where, why, and what to do about it.

Every error that a user can cause is a `SpeechkdError`. The command line prints its four parts on one
line and exits with the error's code; nothing else in the package prints or exits.

Exit codes: 0 ok, 2 usage or config, 3 data, 4 stage failed, 5 artifact corrupt, 6 resource, 130 interrupted.
"""

from __future__ import annotations


class SpeechkdError(Exception):
    """Base of all errors that are meant to be read by a person.

    `what` names the problem, `where` the file, line or id, `why` the cause, `todo` the way out.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, why: str | None = None, todo: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.todo = todo

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.why:
            text += f": {self.why}"
        if self.todo:
            text += f". {self.todo}"
        return text

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only parts would be lost by the default when an error crosses a process border.
        return _rebuild, (type(self), self.what, self.where, self.why, self.todo)


def _rebuild(
    kind: type[SpeechkdError], what: str, where: str | None, why: str | None, todo: str | None
) -> SpeechkdError:
    return kind(what, where=where, why=why, todo=todo)


class UsageError(SpeechkdError):
    """A command was called in a way that cannot work (exit 2)."""

    exit_code = 2


class ConfigError(SpeechkdError):
    """A configuration is wrong (exit 2)."""

    exit_code = 2


class DataError(SpeechkdError):
    """Input data are missing, damaged or contradict each other (exit 3)."""

    exit_code = 3


class NothingToSpeak(DataError):
    """A text in which no word is left after normalising (exit 3): several sentences may hold one such and be spoken."""


class StageError(SpeechkdError):
    """A stage of a recipe failed (exit 4)."""

    exit_code = 4


class ArtifactError(SpeechkdError):
    """Something that speechkd wrote is incomplete or was changed: a checkpoint, a voice, a stage's output (exit 5)."""

    exit_code = 5


class ResourceError(SpeechkdError):
    """The machine lacks something: disk, memory, an optional package (exit 6)."""

    exit_code = 6


def missing_extra(package: str, extra: str, purpose: str) -> ResourceError:
    """The error for an optional package that is not installed, with the line to type."""
    return ResourceError(
        f"{purpose} needs the package {package}",
        why="it is not installed",
        todo=f"Type: pip install 'speechkd[{extra}]'",
    )
