"""Fetching a corpus: resumable, verified downloads and archives that cannot write outside of their folder."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from urllib.parse import urlsplit

from speechkd.data.archive import extract_archive
from speechkd.errors import DataError, ResourceError, SpeechkdError, UsageError
from speechkd.runner.publish import rename

_BLOCK = 1 << 18
_RETRIED = {408, 416, 425, 429, 500, 502, 503, 504}

#: Called after every block with (bytes so far, bytes in all or None).
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Archive:
    """A corpus on the web: where it is, what it must hash to, and the folder inside that is the corpus."""

    url: str
    sha256: str
    size: int
    folder: str


class _Retry(Exception):
    """This attempt failed; another may not."""


class _NoAnswer(_Retry):
    """The server cannot be reached or stopped in the middle."""


def download(
    url: str,
    path: Path,
    sha256: str,
    size: int | None = None,
    *,
    attempts: int = 6,
    timeout_s: float = 60.0,
    pause_s: float = 1.0,
    progress: Progress | None = None,
) -> Path:
    """Fetch `url` to `path`; the file appears under that name only when its SHA-256 is `sha256`.

    What arrived before an interruption is kept in `<path>.part` and continued, in this call or a later one. Raises
    `DataError` when the server has something else, `ResourceError` when it cannot be reached or the disk is full.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError("Not a web address", where=url, todo="Give an address that starts with https://.")
    if path.is_file() and file_sha256(path) == sha256:
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(path.name + ".part")) as part:
            _Fetch(url, part, sha256, size, timeout_s, progress).run(attempts, pause_s)
            rename(Path(part.name), path)
    except OSError as error:
        raise ResourceError("Cannot write the download", where=str(path), why=error.strerror or str(error)) from error
    return path


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _locked(part: Path) -> Iterator[BufferedRandom]:
    with part.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            todo = "Wait for the other process or stop it."
            raise ResourceError("Another process downloads this", where=str(part), todo=todo) from error
        yield file


class _Fetch:
    """The attempts to complete one open `.part` file."""

    def __init__(
        self, url: str, part: BufferedRandom, sha256: str, size: int | None, timeout_s: float, progress: Progress | None
    ) -> None:
        self._url = url
        self._part = part
        self._sha256 = sha256
        self._size = size
        self._timeout_s = timeout_s
        self._progress = progress
        self._web_page = False

    def run(self, attempts: int, pause_s: float) -> None:
        """Try until the file is complete and verified."""
        reason = ""
        kind: type[SpeechkdError] = DataError
        for attempt in range(attempts):
            if attempt:
                time.sleep(pause_s * 2 ** (attempt - 1))
            resumed = self._have() > 0
            try:
                if self._have() == 0 or self._have() != self._size:
                    self._request()
            except _Retry as error:
                reason, kind = str(error), ResourceError if isinstance(error, _NoAnswer) else DataError
                continue
            if self._verified():
                return
            reason, kind = self._mismatch(), DataError
            self._restart()
            if not resumed:  # a whole file from a fresh start that is wrong stays wrong
                break
        todo = "Check the connection, or fetch it by hand and give the folder."
        raise kind("Download failed", where=self._url, why=reason, todo=todo)

    def _have(self) -> int:
        return self._part.seek(0, os.SEEK_END)

    def _restart(self) -> None:
        self._part.truncate(0)

    def _verified(self) -> bool:
        self._part.flush()
        os.fsync(self._part.fileno())
        self._part.seek(0)
        return hashlib.file_digest(self._part, "sha256").hexdigest() == self._sha256

    def _mismatch(self) -> str:
        if self._web_page:
            return "the server sent a web page instead of the file"
        if self._size is not None and self._have() != self._size:
            return f"the server sent {self._have()} bytes, expected {self._size}"
        return "the file that arrived is another one (its SHA-256 differs)"

    def _request(self) -> None:
        have = self._have()
        request = urllib.request.Request(self._url, headers={"User-Agent": "speechkd", "Accept-Encoding": "identity"})
        if have:
            request.add_header("Range", f"bytes={have}-")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
                self._receive(answer, have)
        except urllib.error.HTTPError as error:
            self._refused(error.code, have)
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
            raise _NoAnswer(f"no answer from the server: {getattr(error, 'reason', error)}") from error

    def _refused(self, code: int, have: int) -> None:
        if code == 416 and have and self._verified():
            return
        if code == 416:
            self._restart()
        if code not in _RETRIED:
            todo = "Check the address, or fetch the file by hand and give its folder."
            raise DataError("Download refused", where=self._url, why=f"the server answers {code}", todo=todo)
        raise _Retry(f"the server answers {code}")

    def _receive(self, answer: http.client.HTTPResponse, have: int) -> None:
        """Append the body to the part; a server that ignores the range starts it anew."""
        if have and not _continues(answer, have):
            self._restart()
            have = 0
            if answer.status == 206:
                raise _Retry("the server sent another range than the one asked for")
        self._web_page = answer.headers.get_content_type() == "text/html"
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        limit = self._size if self._size is not None else total
        while block := answer.read(_BLOCK):
            self._part.write(block)
            have += len(block)
            if limit is not None and have > limit:
                return
            if self._progress:
                self._progress(have, self._size or total)
        if total is not None and have < total:
            raise _NoAnswer(f"no answer after {have} of {total} bytes")


def _continues(answer: http.client.HTTPResponse, have: int) -> bool:
    return answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def locate_corpus(
    name: str,
    folder: Path | None,
    cache: Path,
    archive: Archive | None = None,
    progress: Progress | None = None,
) -> Path:
    """The folder of the corpus `name`: the one given, else the one in `cache`, else downloaded there from `archive`.

    Raises `DataError` with what to do when the folder given is absent, or when there is none and no download is known.
    """
    if folder is not None and folder.is_dir():
        return folder
    if folder is not None:
        todo = "Give the folder that holds it: --set corpus.dir=FOLDER"
        todo += f", or leave corpus.dir out to download {name}" if archive else ""
        raise DataError(f"Corpus {name} not found", where=str(folder), why="there is no such folder", todo=todo)
    if archive is None:
        todo = "Give its folder: --set corpus.dir=FOLDER"
        raise DataError(f"Corpus {name} not found", why="no folder is given and no download is known", todo=todo)
    return fetch_corpus(cache, archive, progress)


def fetch_corpus(cache: Path, archive: Archive, progress: Progress | None = None) -> Path:
    """Download and unpack `archive` into `cache` unless it is there; the archive is deleted once unpacked."""
    name = urlsplit(archive.url).path.rsplit("/", 1)[-1]
    folder = cache / name.removesuffix(".tar.bz2").removesuffix(".tar.gz").removesuffix(".tgz").removesuffix(".tar")
    if not folder.is_dir():
        file = download(archive.url, cache / name, archive.sha256, archive.size, progress=progress)
        extract_archive(file, folder)
        file.unlink()
    return folder / archive.folder
