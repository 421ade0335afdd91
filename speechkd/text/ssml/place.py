"""Where something stands in a document, and errors that say so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from speechkd.errors import DataError


@dataclass(frozen=True)
class Place:
    """A line and a column of a document, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"

    def error(self, what: str, why: str | None = None, todo: str | None = None) -> DataError:
        """The error of something that stands here."""
        return DataError(what, where=str(self), why=why, todo=todo)

    def unknown(self, kind: str, name: str, known: Iterable[str]) -> DataError:
        """The error of a name that is none of the known ones, with the nearest of them."""
        names = sorted(known)
        near = difflib.get_close_matches(name[:40].lower(), names, n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]}? " if near else ""
        return self.error(f"unknown {kind} {shown(name)}", todo=f"{hint}Accepted: {', '.join(names) or 'none'}")


def shown(text: str) -> str:
    """A text of the document, quoted and not long."""
    return repr(text if len(text) <= 40 else text[:39] + "…")
