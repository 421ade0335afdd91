"""What a corpus folder looks like, and what to say when another one is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from speechkd.data.corpus import printable
from speechkd.errors import DataError

_LOOKED_AT = 200
_SHOWN = 8


@dataclass(frozen=True)
class Layout:
    """The tree of a corpus as printed for people, and patterns (as of `Path.glob`) of which each must match a path.

    A pattern may give alternatives, separated by a bar: the layouts of other releases.
    """

    tree: str
    needs: tuple[str, ...]

    def missing(self, folder: Path) -> list[str]:
        """The patterns that match nothing in `folder`."""
        return [need for need in self.needs if not any(_any(folder, pattern) for pattern in need.split("|"))]

    def check(self, name: str, folder: Path) -> None:
        """`DataError` when `folder` is not such a corpus: what is missing, what is there, and where it may be."""
        missing = self.missing(folder) if folder.is_dir() else list(self.needs)
        if not missing:
            return
        found = ", ".join(_listing(folder)) if folder.is_dir() else "no such folder"
        why = f"missing: {', '.join(need.replace('|', ' or ') for need in missing)}; found: {found or 'nothing'}"
        todo = self._hint(folder) or f"The tree it should have: speechkd data layout {name}"
        raise DataError(f"Not a {name} corpus", where=str(folder), why=why, todo=todo)

    def _hint(self, folder: Path) -> str:
        """Where the corpus is, when it is near."""
        for near in _below(folder):
            if not self.missing(near):
                return f"This is the parent folder: use {near}"
        for near in islice(folder.absolute().parents, 3):
            if near.is_dir() and not self.missing(near):
                return f"This is a folder inside the corpus: use {near}"
        return ""


def _any(folder: Path, pattern: str) -> bool:
    return next(iter(folder.glob(pattern)), None) is not None


def _below(folder: Path) -> Iterator[Path]:
    """The folders in `folder`, then those in them; not too many."""
    first = list(islice(_folders([folder]), _LOOKED_AT))
    yield from first
    yield from islice(_folders(first), _LOOKED_AT)


def _folders(parents: Iterable[Path]) -> Iterator[Path]:
    for parent in parents:
        try:
            yield from (path for path in sorted(parent.iterdir()) if path.is_dir() and not path.name.startswith("."))
        except OSError:  # a folder that cannot be listed holds no hint
            continue


def _listing(folder: Path) -> list[str]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        return [f"cannot be listed ({error.strerror})"]
    names = [printable(path.name) + ("/" if path.is_dir() else "") for path in paths[:_SHOWN]]
    return names + ([f"… ({len(paths)} in all)"] if len(paths) > _SHOWN else [])
