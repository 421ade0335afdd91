"""Single files that are either whole or absent, also where a library insists on writing the file itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speechkd.errors import ResourceError
from speechkd.runner.publish import rename, write_file


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A draft beside `path`, with the same suffix, that becomes `path` when the block ends well and vanishes if not.

    Makes missing parent folders. Raises ResourceError when the place cannot be written to.
    """
    draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    with _errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.touch()
            yield draft
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            rename(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all, and missing parent folders. Raises ResourceError."""
    with _errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text.encode("utf-8"))


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResourceError("the file cannot be written", where=str(path), why=error.strerror or str(error)) from error
