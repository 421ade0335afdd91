"""The one module that renames. What it publishes is whole or not there, also after a kill or a power cut.

Order: write into a temporary sibling on the same file system, fsync every file and folder, rename, fsync the parent;
the record that makes it count comes last. Tests stop it at every step through `set_fault_hook`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from speechkd.errors import ResourceError, StageError

FaultHook = Callable[[str, Path], None]
STEPS = ("open", "write", "fsync", "rename", "record")
_FEW_FILES, _FSYNC_THREADS, _FSYNC_BATCH = 2, 16, 256
_fault_hook: FaultHook | None = None

# What a person must repair on the machine before trying again.
_RESOURCE_ERRNOS = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE,
    errno.ENOMEM, errno.EFBIG,
}  # fmt: skip


def set_fault_hook(hook: FaultHook | None) -> None:
    """For tests: `hook(step, path)` is called just before each step of `STEPS`."""
    global _fault_hook
    _fault_hook = hook


def _before(step: str, path: Path) -> None:
    if _fault_hook is not None:
        _fault_hook(step, path)


def write_file(path: Path, data: bytes) -> None:
    """Publish a file: afterwards `path` holds all of `data`; at no time does it hold a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with resource_errors(path):
        try:
            _before("open", temporary)
            with open(temporary, "wb") as file:
                _before("write", temporary)
                file.write(data)
                file.flush()
                _before("fsync", temporary)
                os.fsync(file.fileno())
            rename(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Publish a JSON file with sorted keys."""
    write_file(path, (json.dumps(value, sort_keys=True, indent=1) + "\n").encode())


def write_record(path: Path, value: Any) -> None:
    """Publish the record that makes what was published before count."""
    _before("record", path)
    write_json(path, value)


def publish_folder(source: Path, target: Path, aside: Path | None = None) -> None:
    """Publish a filled folder under its final name; an older one is first moved to `aside` (default: deleted).

    `source` must lie on the same file system. Raises StageError for links and special files, ResourceError for a full
    or failing disk.
    """
    with resource_errors(target):
        fsync_tree(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            older = aside or target.with_name(f".{target.name}.{os.getpid()}.old")
            remove(older)
            rename(target, older)
        rename(source, target)
        if aside is None:
            remove(target.with_name(f".{target.name}.{os.getpid()}.old"))


def rename(source: Path, target: Path) -> None:
    """Rename durably: the parent folders are on disk afterwards."""
    _before("rename", target)
    os.rename(source, target)
    fsync_folder(target.parent)
    if source.parent != target.parent:
        fsync_folder(source.parent)


def link_file(source: Path, target: Path) -> bool:
    """The same file under a second name; where that cannot be, a copy with its time. Says whether it is a link."""
    with resource_errors(target):
        try:
            os.link(source, target)
        except (FileExistsError, FileNotFoundError):
            raise
        except OSError:
            shutil.copy2(source, target)
            return False
    return True


def fsync_tree(folder: Path) -> None:
    """Put every file of a folder, and the folders themselves, on disk."""
    for parent, folders, names in os.walk(folder, topdown=False):
        for path in (Path(parent, name) for name in folders):
            if path.is_symlink():
                raise StageError("an artifact may only hold plain files and folders", where=str(path))
        _fsync_files(parent, names)
        fsync_folder(Path(parent))


def _fsync_files(folder: str, names: Sequence[str]) -> None:
    paths = [os.path.join(folder, name) for name in names]  # text: there may be very many
    for path in paths:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise StageError("an artifact may only hold plain files and folders", where=path)
        if _fault_hook is not None:
            _before("fsync", Path(path))
    if len(paths) <= _FEW_FILES:
        for path in paths:
            _fsync(path)
    else:
        # Many at a time, because a file system commits those that wait together at once.
        with ThreadPoolExecutor(_FSYNC_THREADS) as pool:
            for start in range(0, len(paths), _FSYNC_BATCH):
                list(pool.map(_fsync, paths[start : start + _FSYNC_BATCH]))


def fsync_folder(folder: Path) -> None:
    """Put a folder's list of names on disk."""
    _before("fsync", folder)
    _fsync(folder)


def _fsync(path: Path | str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Delete a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        with resource_errors(path):
            shutil.rmtree(path)
    else:
        with resource_errors(path):
            path.unlink(missing_ok=True)


def fresh_folder(path: Path) -> Path:
    """An empty folder at `path`."""
    remove(path)
    with resource_errors(path):
        path.mkdir(parents=True)
    return path


@contextlib.contextmanager
def resource_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a missing permission or a failing device into a ResourceError that names the path."""
    try:
        yield
    except OSError as error:
        found = as_resource_error(error, path)
        if found is None:
            raise
        raise found from error


def as_resource_error(error: OSError, path: Path) -> ResourceError | None:
    """The ResourceError for an OSError that the machine is to blame for, else None."""
    if error.errno not in _RESOURCE_ERRNOS:
        return None
    where = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(
            "the disk is full", where=str(where), why=f"{_free_bytes(where)} bytes are free",
            todo="Make room and run again: finished work is kept",
        )  # fmt: skip
    return ResourceError("cannot write or read", where=str(where), why=error.strerror or str(error))


def _free_bytes(path: Path) -> int | str:
    for folder in (path, *path.absolute().parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(folder).free
    return "an unknown number of"
