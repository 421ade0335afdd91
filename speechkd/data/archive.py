"""Unpacking a tar archive that nobody has looked at: all of it or nothing, and never outside of its folder."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zlib
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from speechkd.errors import DataError, ResourceError
from speechkd.runner.publish import publish_folder

_MAX_MEMBERS = 1_000_000
_MAX_BYTES = 100 * 2**30


def extract_archive(archive: Path, folder: Path, max_bytes: int = _MAX_BYTES) -> Path:
    """Unpack `archive` (tar, plain or compressed) as the new folder `folder`, which appears only when complete.

    Only files and folders with plain relative names are accepted; one link, device, `..` or absolute name, or more than
    `max_bytes` in all, and the whole archive is refused with a `DataError`. It is read once, from front to back.
    """
    if folder.exists():
        raise DataError("Cannot unpack", where=str(folder), why="it exists already", todo="Remove it first.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _unpack(archive, temporary, max_bytes)
        temporary.chmod(0o755)
        publish_folder(temporary, folder)
    except (tarfile.TarError, EOFError, zlib.error, LZMAError, ValueError) as error:
        todo = "Delete it and download it again."
        raise DataError("Broken archive", where=str(archive), why=str(error), todo=todo) from error
    except OSError as error:
        # bz2 and gzip report damaged data as an OSError without a number.
        kind = DataError if error.errno is None else ResourceError
        raise kind("Cannot unpack", where=str(archive), why=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _unpack(archive: Path, folder: Path, max_bytes: int) -> None:
    seen: set[str] = set()
    total = 0
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            total += member.size
            reason = _hostile(member, seen)
            if total > max_bytes or len(seen) >= _MAX_MEMBERS:
                reason = f"it unpacks to more than {max_bytes} bytes or {_MAX_MEMBERS} files"
            if reason:
                todo = "Get the corpus from its official source."
                raise DataError("Archive refused", where=f"{archive}: {member.name!r}", why=reason, todo=todo)
            seen.add(member.name)
            tar.extract(member, folder, filter="data")
    if not seen:
        raise tarfile.ReadError("the archive is empty")


def _hostile(member: tarfile.TarInfo, seen: set[str]) -> str | None:
    """Why this member must not be unpacked, or None."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        return "the name leads out of the folder"
    if not (member.isreg() or member.isdir()):
        return "it is a link or a device"
    if member.isreg() and member.name in seen:
        return "it is there twice"
    return None
