"""What a corpus is to the recipes: utterances with text and audio, and the problems found with them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Container, Mapping
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
        return printable(f"{text}. {self.todo}" if self.todo else text)

    def to_json(self) -> dict[str, str]:
        """A JSON-ready form."""
        return {key: printable(str(value)) for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of a corpus: its id, the text that is said, the recording, and the line (from 1) it was read from.

    `speaker` is "" in a corpus of one voice. `language` is a BCP 47 tag ("en", "en-gb"), "" when nobody said. `part` is
    the corpus's own split: "train", "valid", "test" or "". `source` is the file the text stands in when every utterance
    has its own, `video_path` the film of the speaker.
    """

    id: str
    text: str
    audio_path: Path
    line: int
    duration_s: float | None = None
    speaker: str = ""
    language: str = ""
    part: str = ""
    source: Path | None = None
    video_path: Path | None = None


@dataclass(frozen=True)
class Corpus:
    """The usable lines of a corpus and the problems met while reading them.

    `unlisted` are the recordings that no line speaks of, `transcripts` the file the lines were read from, `speakers`
    what is known of each speaker ("gender", "accent", …), `normalised` says that the texts are meant to be free of
    digits, `words` when each word of an utterance is said: (start_s, end_s, word).
    """

    folder: Path
    utterances: tuple[Utterance, ...]
    problems: tuple[Problem, ...] = ()
    transcripts: Path = Path("metadata.csv")
    unlisted: tuple[Path, ...] = ()
    speakers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    normalised: bool = False
    words: Mapping[str, tuple[tuple[float, float, str], ...]] = field(default_factory=dict)

    def place(self, path: Path) -> str:
        """`path` relative to the corpus folder, printable whatever bytes its name has."""
        return printable(os.path.relpath(path, self.folder))

    def text_place(self, utterance: Utterance) -> str:
        """Where the text of an utterance stands: "metadata.csv:12"."""
        return f"{self.place(utterance.source or self.transcripts)}:{utterance.line}"


def printable(name: str) -> str:
    """A name or text of a corpus with everything that is no visible character, or no UTF-8, written as an escape."""
    return name if name.isprintable() else "".join(map(_visible, name))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


#: Suffixes that are read, and those of recordings that must be converted first.
READABLE_SUFFIXES = (".wav", ".flac")
FOREIGN_SUFFIXES = (".mp3", ".m4a", ".aac", ".ogg", ".opus", ".wma", ".aiff", ".aif")


@dataclass
class Recordings:
    """The files of an audio folder by name without suffix; nothing is opened or followed while listing."""

    folder: Path
    by_stem: dict[str, list[Path]] = field(default_factory=dict)
    _by_form: dict[str, str] = field(default_factory=dict)

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
            found.add(folder / name)
        return found

    @classmethod
    def walk(cls, folder: Path) -> Recordings:
        """List `folder` and the folders below it; links to folders are not followed. Raises `DataError` like `scan`."""
        found = cls.scan(folder)
        for parent, folders, names in os.walk(folder):
            folders.sort()
            if parent != str(folder):
                for name in sorted([*names, *(each for each in folders if Path(each).suffix)]):
                    found.add(Path(parent, name))
        return found

    def add(self, path: Path) -> None:
        """Take in a path if its suffix is that of a recording. The files that macOS leaves beside each are none."""
        if path.suffix.lower() in READABLE_SUFFIXES + FOREIGN_SUFFIXES and not path.name.startswith("._"):
            self.by_stem.setdefault(path.stem, []).append(path)
            self._by_form.setdefault(_loose(path.stem), path.stem)

    def pick(self, stem: str) -> Path | None:
        """The recording called `stem`: WAV and FLAC first; None when there is none."""
        paths = self.by_stem.get(stem, [])
        return min(paths, key=lambda path: _preference(path.suffix.lower()), default=None)

    def nearly(self, stem: str) -> str | None:
        """The name of a recording that differs from `stem` only in case or in how accents are encoded."""
        return self._by_form.get(_loose(stem))

    def others(self, used: Container[str]) -> list[Path]:
        """Readable recordings whose name is not in `used`."""
        return [
            path
            for stem, paths in sorted(self.by_stem.items())
            if stem not in used
            for path in paths
            if path.suffix.lower() in READABLE_SUFFIXES
        ]


def _loose(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _preference(suffix: str) -> int:
    return READABLE_SUFFIXES.index(suffix) if suffix in READABLE_SUFFIXES else len(READABLE_SUFFIXES)
