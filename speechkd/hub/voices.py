"""Voices on the hub and as single files: pushed whole, pulled at a full commit, every file checked by its digest."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from speechkd.errors import ArtifactError, DataError, ResourceError, SpeechkdError, UsageError, missing_extra
from speechkd.hub.fetch import fetch_at_commit, fetch_files
from speechkd.runner.publish import rename
from speechkd.synthesis.files import whole_file
from speechkd.synthesis.manifest import (
    ALWAYS_THERE,
    CARD_NAME,
    MANIFEST_NAME,
    VoiceManifest,
    read_manifest,
    verify_files,
)

#: A voice is tens of megabytes; what claims to be larger than this is none.
MOST_BYTES = 4 * 2**30
_MOST_MANIFEST_BYTES = 2**20
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
# A zip file can say no earlier time; with the same time for all, the same voice gives the same bytes.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def zip_voice(folder: Path, target: Path) -> VoiceManifest:
    """Write the voice in `folder` as one zip file, whole or not at all; the same voice gives the same bytes.

    Raises ArtifactError for a voice that is incomplete or damaged.
    """
    manifest = checked_voice(folder)
    with whole_file(target) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _names(manifest):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, (folder / name).read_bytes())
    return manifest


def unzip_voice(source: Path, root: Path) -> Path:
    """Unpack a zip file of `zip_voice` into a folder of its voice's name under `root`; returns the folder.

    The archive is not trusted: only the files that its voice.json names are read, none larger than it says, and each
    must have its digest. Raises DataError for a file that is no such archive, ArtifactError for a damaged voice.
    """
    try:
        with zipfile.ZipFile(source) as archive, _draft(root) as draft:
            _extract(archive, MANIFEST_NAME, draft, _MOST_MANIFEST_BYTES)
            manifest = read_manifest(draft)
            left = MOST_BYTES
            for name in _checked_names(manifest, source):
                left -= _extract(archive, name, draft, left)
            return _settle(draft, root, manifest)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, EOFError, RuntimeError) as error:
        why = error.args[0] if isinstance(error, KeyError) else str(error)
        raise DataError("this is no voice in a zip file", where=str(source), why=str(why)) from error
    except FileNotFoundError as error:
        raise UsageError("there is no such file", where=str(source)) from error


def push_voice(folder: Path, repository: str, *, private: bool = False) -> str:
    """Upload a voice as the whole content of `repository` (owner/name), which is made if absent; returns the commit.

    Who you are is read from $HF_TOKEN or from what `hf auth login` stored. Raises ArtifactError for a voice that is
    incomplete or damaged, ResourceError where the hub refuses or cannot be reached.
    """
    manifest = checked_voice(folder)
    # The card is what the hub shows: it must be called so there.
    readme = _readme(manifest, (folder / CARD_NAME).read_text(encoding="utf-8"))
    with _hub_errors(repository) as api:
        from huggingface_hub import CommitOperationAdd

        added = [CommitOperationAdd(name, folder / name) for name in _names(manifest)]
        added.append(CommitOperationAdd("README.md", readme.encode()))
        api.create_repo(repository, private=private, exist_ok=True)
        done = api.create_commit(repository, added, commit_message=f"Voice {manifest.name}")
    return str(done.oid)


def pull_voice(repository: str, revision: str | None, root: Path) -> tuple[Path, str]:
    """Fetch the voice of `repository` (owner/name) into a folder of its name under `root`; the folder and the commit.

    `revision` is a full commit; without one it is asked which is the newest, and that one is fetched. Raises
    ConfigError for a revision that can change, DataError for a file that is missing or has another digest than
    voice.json says, ResourceError where the hub cannot be reached.
    """
    commit = revision or _newest(repository)
    with _draft(root) as draft:
        _copy(_fetch_manifest(repository, commit), draft / MANIFEST_NAME)
        manifest = read_manifest(draft)
        digests = {name: manifest.files[name] for name in _checked_names(manifest, Path(repository))}
        for path, name in zip(fetch_files(repository, commit, digests), digests, strict=True):
            _copy(path, draft / name)
        return _settle(draft, root, manifest), commit


def checked_voice(folder: Path) -> VoiceManifest:
    """The manifest of a voice whose files are all there and unchanged; ArtifactError otherwise."""
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    return manifest


def _names(manifest: VoiceManifest) -> tuple[str, ...]:
    return (MANIFEST_NAME, *sorted(manifest.files))


def _checked_names(manifest: VoiceManifest, where: Path) -> list[str]:
    """The files of a voice from elsewhere; ArtifactError for a name that is a path or not one of a voice's."""
    for name in manifest.files:
        if not _PLAIN_NAME.fullmatch(name) or name == MANIFEST_NAME:
            raise ArtifactError(f"{MANIFEST_NAME} is wrong about {name!r}", where=str(where), why="it is no file name")
    missing = set(ALWAYS_THERE) - set(manifest.files)
    if missing:
        raise ArtifactError("a file of the voice is missing", where=str(where), why=", ".join(sorted(missing)))
    return sorted(manifest.files)


def _extract(archive: zipfile.ZipFile, name: str, into: Path, most_bytes: int) -> int:
    """Write a member; its size. Read in bites: what the archive says of sizes may be a lie."""
    size = 0
    with archive.open(name) as packed, (into / name).open("wb") as plain:
        while bite := packed.read(2**20):
            size += len(bite)
            if size > most_bytes:
                raise DataError("a voice's zip file is too large", where=name, why=f"more than {most_bytes} bytes")
            plain.write(bite)
    return size


@contextmanager
def _draft(root: Path) -> Iterator[Path]:
    """A folder beside the voices that is gone afterwards, unless it was renamed."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".pulled-", dir=root))
    except OSError as error:
        raise ResourceError("cannot write voices", where=str(root), why=error.strerror) from error
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _settle(draft: Path, root: Path, manifest: VoiceManifest) -> Path:
    """Give a checked voice its place."""
    verify_files(draft, manifest)
    if not _PLAIN_NAME.fullmatch(manifest.name):
        raise ArtifactError("the voice's name cannot be a folder", where=str(root), why=repr(manifest.name))
    target = root / manifest.name
    if target.exists():
        if read_manifest(target) == manifest:
            return target
        why = "another voice of this name is there"
        raise UsageError(f"the voice {manifest.name} is not replaced", where=str(target), why=why,
                         todo="Remove that folder first, or give another one with --to")  # fmt: skip
    draft.chmod(0o755)
    rename(draft, target)
    return target


def _copy(source: Path, target: Path) -> None:
    # The cache of the client holds links: copies do not vanish when it is emptied.
    shutil.copyfile(source, target)


def _readme(manifest: VoiceManifest, card: str) -> str:
    """The card with what the hub reads at its head."""
    language = manifest.language.split("-")[0]
    facts: dict[str, Any] = {"library_name": "speechkd", "pipeline_tag": "text-to-speech", "language": language}
    licence = manifest.source.licence.lower()
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", licence):
        facts["license"] = licence
    head = "\n".join(f"{key}: {json.dumps(value)}" for key, value in sorted(facts.items()))
    return f"---\n{head}\n---\n\n{card}"


def _newest(repository: str) -> str:
    with _hub_errors(repository) as api:
        commit = str(api.model_info(repository).sha)
    if not _COMMIT.fullmatch(commit):
        raise DataError("the hub names no commit", where=repository, why=repr(commit)[:60])
    return commit


def _fetch_manifest(repository: str, commit: str) -> Path:
    """voice.json has no digest beforehand: the commit stands for it. It is read as untrusted."""
    path = fetch_at_commit(repository, commit, MANIFEST_NAME)
    if path.stat().st_size > _MOST_MANIFEST_BYTES:
        raise DataError(f"{MANIFEST_NAME} is too large", where=f"{repository}@{commit}")
    return path


@contextmanager
def _hub_errors(repository: str) -> Iterator[Any]:
    """The hub's client; what it raises becomes one line."""
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError as error:
        raise missing_extra("huggingface_hub", "hub", "the hub") from error
    try:
        yield HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=os.environ.get("HF_TOKEN") or None)
    except SpeechkdError:
        raise
    except Exception as error:  # which library it speaks HTTP with, and so what it raises, is the client's own affair
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        what = "the hub refuses" if isinstance(error, HfHubHTTPError | ValueError) else "the hub cannot be reached"
        todo = "Log in with `hf auth login`, or set HF_TOKEN; behind another server set HF_ENDPOINT"
        raise ResourceError(what, where=repository, why=why, todo=todo) from error
