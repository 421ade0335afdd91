"""Fetching files of a hub repository: only at a full commit, and only those whose SHA-256 is known beforehand."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from speechkd.errors import ConfigError, DataError, ResourceError, missing_extra
from speechkd.runner.digests import file_digest

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[\w./ -]+")


def fetch_files(
    repository: str, revision: str, sha256: Mapping[str, str], cache_folder: Path | None = None
) -> list[Path]:
    """Local copies of the files of `repository` at the commit `revision` that `sha256` names, with their digests.

    A file that is in the cache is not asked for again. The server is $HF_ENDPOINT, or the public hub.
    Raises ConfigError for anything unpinned or a name that leaves the repository, DataError for a file that is
    not there or has another digest, ResourceError when the server cannot be reached.
    """
    _check_request(repository, revision, sha256)
    paths = []
    for name, digest in sha256.items():
        path = _download(repository, revision, name, cache_folder)
        found = file_digest(path)
        if found != digest:
            raise DataError(
                f"{name} is not the file that was asked for",
                where=f"{repository}@{revision}",
                why=f"its SHA-256 is {found}, expected {digest}",
                todo=f"Check the digest; if it is right, delete {path} and fetch again",
            )
        paths.append(path)
    return paths


def fetch_at_commit(repository: str, revision: str, name: str, cache_folder: Path | None = None) -> Path:
    """A local copy of a file whose digest nobody knows beforehand: as that commit has it, to be read as untrusted.

    Raises as `fetch_files`.
    """
    _check_names(repository, revision, [name])
    return _download(repository, revision, name, cache_folder)


def _check_request(repository: str, revision: str, sha256: Mapping[str, str]) -> None:
    _check_names(repository, revision, sha256)
    if not sha256:
        raise ConfigError("no file is named", where=repository, todo="List each file with its SHA-256")
    for name, digest in sha256.items():
        if not _SHA256.fullmatch(digest):
            raise ConfigError(f"the digest of {name} is not a SHA-256", where=repository, why=f"it is {digest!r}")


def _check_names(repository: str, revision: str, names: Iterable[str]) -> None:
    if not _REPOSITORY.fullmatch(repository) or ".." in repository:
        raise ConfigError(f"{repository!r} is no repository of the hub", todo="Write it as owner/name")
    if not _COMMIT.fullmatch(revision or ""):
        why = f"revision is {revision!r}, and a branch or tag can change under you"
        raise ConfigError("the hub revision is not pinned", where=repository, why=why, todo="Give the 40-digit commit")
    for name in names:
        parts = name.split("/")
        if not _FILE_NAME.fullmatch(name) or PurePosixPath(name).is_absolute() or {"", ".", ".."} & set(parts):
            raise ConfigError(f"{name!r} is not accepted as a file name of a repository", where=repository)


def _download(repository: str, revision: str, name: str, cache_folder: Path | None) -> Path:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise missing_extra("huggingface_hub", "train", "fetching from the hub") from error
    where = f"{repository}@{revision}/{name}"
    try:
        # huggingface_hub reads HF_ENDPOINT once, at its import; asking again lets it be set later.
        endpoint = os.environ.get("HF_ENDPOINT") or None
        path = hf_hub_download(repository, name, revision=revision, cache_dir=cache_folder, endpoint=endpoint)
    except LocalEntryNotFoundError as error:
        todo = "Check the network and HF_ENDPOINT, or give vocoder.path"
        raise ResourceError("the hub cannot be reached", where=where, why=_cause(error), todo=todo) from error
    except (EntryNotFoundError, HfHubHTTPError) as error:
        raise DataError("the hub does not give this file", where=where, why=_cause(error)) from error
    except OSError as error:
        raise ResourceError("the file could not be fetched", where=where, why=_cause(error)) from error
    return Path(path)


def _cause(error: BaseException) -> str:
    """The first line of the innermost message."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
