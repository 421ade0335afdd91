"""Digests of files, of artifacts, and of files outside the run folder."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from speechkd.config import digest
from speechkd.errors import ArtifactError

if TYPE_CHECKING:
    from speechkd.runner.stage import Recipe

# Hashing and reading leave Python's lock, so threads do it at the same time.
_HASH_THREADS, _HASHED_AT_A_TIME = 4, 256


@dataclass(frozen=True, slots=True)
class FileState:
    """A file of an artifact: its size in bytes, modification time and SHA-256 (empty if it was not read)."""

    size: int
    mtime_ns: int
    sha256: str = ""


@dataclass(frozen=True)
class ArtifactDigest:
    """SHA-256 over the names and contents of an artifact's files."""

    sha256: str
    volatile: bool


def file_digest(path: Path | str) -> str:
    """SHA-256 (hex) of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_files(folder: Path) -> dict[str, FileState]:
    """Every file below `folder` by its relative path (with `/`), sorted; not read. Empty if there is no folder."""
    # Text and not Path: pathlib keeps every part of every path it has seen.
    found: dict[str, FileState] = {}
    root = os.fspath(folder)
    for parent, _, names in os.walk(root, onerror=_loud) if folder.is_dir() else ():
        before = "" if parent == root else Path(parent).relative_to(folder).as_posix() + "/"
        for name in names:
            info = os.lstat(os.path.join(parent, name))
            found[before + name] = FileState(info.st_size, info.st_mtime_ns)
    return dict(sorted(found.items()))


def _loud(error: OSError) -> None:
    """A folder that cannot be listed must not count as empty."""
    raise error


def list_external(folder: Path) -> list[tuple[str, int, int]]:
    """Every file below a folder: relative path, size in bytes, modification time in ns. Links are followed, once."""
    found: list[tuple[str, int, int]] = []
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, onerror=_loud, followlinks=True):
        info = os.stat(parent)
        if (info.st_dev, info.st_ino) in seen:
            folders.clear()
            continue
        seen.add((info.st_dev, info.st_ino))
        folders.sort()
        for path in (os.path.join(parent, name) for name in names):
            info = os.stat(path) if os.path.exists(path) else os.lstat(path)
            found.append((path[len(str(folder)) + 1 :], info.st_size, info.st_mtime_ns))
    return sorted(found)


def hash_files(folder: Path) -> dict[str, FileState]:
    """Like `list_files`, with the SHA-256 of each file."""
    found = list_files(folder)
    names = list(found)
    with ThreadPoolExecutor(_HASH_THREADS) as pool:
        for start in range(0, len(names), _HASHED_AT_A_TIME):
            some = names[start : start + _HASHED_AT_A_TIME]
            for name, sha256 in zip(
                some, pool.map(file_digest, (os.path.join(folder, name) for name in some)), strict=True
            ):
                found[name] = FileState(found[name].size, found[name].mtime_ns, sha256)
    return found


def artifact_digest(files: dict[str, FileState]) -> str:
    """The digest of an artifact from its files' names, sizes and SHA-256."""
    return digest([[name, state.size, state.sha256] for name, state in sorted(files.items())])


def external_digest(path: object) -> str:
    """The digest of a file or folder outside the run: names, sizes and times; `missing` or `none` if there is none."""
    if path is None:
        return "none"
    if isinstance(path, (list, tuple)):
        return digest([external_digest(each) for each in path])
    real = Path(os.path.realpath(str(path)))
    if real.is_dir():
        return digest(list_external(real))
    if not real.exists():
        return "missing"
    info = real.stat()
    return digest([info.st_size, info.st_mtime_ns])


def artifact_digests(recipe: Recipe, run_dir: Path) -> dict[str, ArtifactDigest]:
    """The digests of all artifacts of a finished run, from the bytes on disk. ArtifactError if one is missing."""
    digests: dict[str, ArtifactDigest] = {}
    for each in recipe.stages:
        for output in each.outputs:
            folder = Path(run_dir) / output.name
            if not folder.is_dir():
                raise ArtifactError("the artifact is missing", where=str(folder))
            digests[output.name] = ArtifactDigest(artifact_digest(hash_files(folder)), output.volatile)
    return digests
