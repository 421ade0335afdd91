"""What a corpus is to the recipes: utterances with text and audio, and the problems found with them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from speechkd.errors import DataError


class Severity(StrEnum):
    """How much a problem matters: an error stops a recipe, a warning and an info do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a corpus.

    `kind` is a fixed word for programs ("missing_recording"), `id` the utterance ("" when it is not about one),
    `where` a place relative to the corpus folder ("metadata.csv:12:5", "wavs/a.wav"), `todo` the way out.
    """

    severity: Severity
    kind: str
    id: str
    where: str
    what: str
    todo: str = ""

    def __str__(self) -> str:
        text = f"{self.severity}: {self.where}: {self.what} [{self.kind}]"
        return f"{text}. {self.todo}" if self.todo else text

    def to_json(self) -> dict[str, str]:
        """A JSON-ready form."""
        return {key: str(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Utterance:
    """One line of a corpus: its id, the text that is said, the recording, and the line (from 1) it was read from."""

    id: str
    text: str
    audio_path: Path
    line: int
    duration_s: float | None = None


@dataclass(frozen=True)
class Corpus:
    """The usable lines of a corpus and the problems met while reading them.

    `unlisted` are the recordings that no line speaks of, `transcripts` the file the lines were read from.
    """

    folder: Path
    utterances: tuple[Utterance, ...]
    problems: tuple[Problem, ...] = ()
    transcripts: Path = Path("metadata.csv")
    unlisted: tuple[Path, ...] = ()

    def place(self, path: Path) -> str:
        """`path` relative to the corpus folder, printable whatever bytes its name has."""
        return printable(os.path.relpath(path, self.folder))


def printable(name: str) -> str:
    """A file name with bytes that are not UTF-8 written as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


#: Suffixes that are read, and those of recordings that must be converted first.
READABLE_SUFFIXES = (".wav", ".flac")
FOREIGN_SUFFIXES = (".mp3", ".m4a", ".aac", ".ogg", ".opus", ".wma", ".aiff", ".aif")


@dataclass
class Recordings:
    """The files of an audio folder by name without suffix; nothing is opened or followed while listing."""

    folder: Path
    by_stem: dict[str, list[Path]] = field(default_factory=dict)

    @classmethod
    def scan(cls, folder: Path) -> Recordings:
        """List `folder`. Raises `DataError` when it cannot be listed."""
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            todo = "An LJSpeech-like corpus keeps its recordings in a folder called wavs."
            raise DataError("No folder of recordings", where=str(folder), why=error.strerror, todo=todo) from error
        found = cls(folder)
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in READABLE_SUFFIXES + FOREIGN_SUFFIXES:
                found.by_stem.setdefault(stem, []).append(folder / name)
        return found

    def pick(self, stem: str) -> Path | None:
        """The recording called `stem`: WAV and FLAC first; None when there is none."""
        paths = self.by_stem.get(stem, [])
        return min(paths, key=lambda path: _preference(path.suffix.lower()), default=None)

    def others(self, used: Mapping[str, object]) -> list[Path]:
        """Readable recordings whose name is not in `used`."""
        return [
            path
            for stem, paths in sorted(self.by_stem.items())
            if stem not in used
            for path in paths
            if path.suffix.lower() in READABLE_SUFFIXES
        ]


def _preference(suffix: str) -> int:
    return READABLE_SUFFIXES.index(suffix) if suffix in READABLE_SUFFIXES else len(READABLE_SUFFIXES)
