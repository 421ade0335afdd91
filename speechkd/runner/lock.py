"""One runner per run folder. The kernel holds the lock, so it ends with the process, however that ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from speechkd.errors import ResourceError
from speechkd.runner.publish import resource_errors


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock."""

    pid: int
    host: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@contextlib.contextmanager
def run_lock(run_dir: Path) -> Iterator[None]:
    """Hold the lock of a run folder; ResourceError naming the holder if another process has it."""
    path = Path(run_dir) / ".lock"
    with resource_errors(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not _take(handle, path):
            raise ResourceError(
                "another run is using this folder", where=str(run_dir), why=str(_read(handle) or "unknown process"),
                todo="Wait for it to end, or give this run another folder",
            )  # fmt: skip
        _write(handle, json.dumps(asdict(Holder(os.getpid(), socket.gethostname()))))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                _write(handle, "")
    finally:
        os.close(handle)


def lock_holder(run_dir: Path) -> Holder | None:
    """The process that is working in a run folder now; None if there is none."""
    path = Path(run_dir) / ".lock"
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        return None if _take(handle, path) else (_read(handle) or Holder(0, "unknown host"))
    finally:
        os.close(handle)


def _take(handle: int, path: Path) -> bool:
    """Try to lock. Where the file system has no locks, the process named in the file must be gone."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            return False
        holder = _read(handle)
        return holder is None or (holder.host == socket.gethostname() and not _alive(holder.pid))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _read(handle: int) -> Holder | None:
    try:
        value = json.loads(os.pread(handle, 4096, 0))
        return Holder(int(value["pid"]), str(value["host"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(handle: int, text: str) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)
