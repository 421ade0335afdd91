"""Tables of transcripts, one utterance a line: read whole, every fault reported with file:line:column."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from speechkd.data.corpus import Problem, Severity
from speechkd.errors import DataError

_BOM = b"\xef\xbb\xbf"
_MAX_BYTES = 256 * 2**20
_MAX_CHARACTERS = 2000

# Control and format characters; those that shape emoji or join letters are left to the text frontend.
_CONTROL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ufffd]"
)


@dataclass(frozen=True)
class Row:
    """One sound line: its number from 1, the id and the text to speak."""

    line: int
    id: str
    text: str


def read_table(path: Path, columns: tuple[int, ...] = (2, 3)) -> tuple[list[Row], list[Problem]]:
    """Read `id|text` or `id|raw|normalised` lines; the last column is the text.

    Returns the usable rows and every problem. Raises `DataError` only when the file itself cannot be read.
    """
    reader = _Table(path.name, columns)
    rows = [row for row in map(reader.row, *_numbered_lines(_read_bytes(path))) if row is not None]
    return rows, reader.problems


def _read_bytes(path: Path) -> bytes:
    todo = "An LJSpeech-like corpus has one line `id|text` per recording in metadata.csv."
    try:
        if not path.is_file():
            raise DataError("No transcripts", where=str(path), why="there is no such file", todo=todo)
        if path.stat().st_size > _MAX_BYTES:
            raise DataError("Transcripts too large", where=str(path), why=f"over {_MAX_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise DataError("Cannot read the transcripts", where=str(path), why=error.strerror, todo=todo) from error


def _numbered_lines(raw: bytes) -> tuple[Iterator[int], Iterator[bytes]]:
    lines = raw.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return iter(range(1, len(lines) + 1)), iter(lines)


class _Table:
    """Judges line after line; remembers the ids seen."""

    def __init__(self, name: str, columns: tuple[int, ...]) -> None:
        self._name = name
        self._columns = columns
        self._width: int | None = None
        self._seen: dict[str, int] = {}
        self.problems: list[Problem] = []

    def row(self, line: int, raw: bytes) -> Row | None:
        """The row in `raw`, or None when it cannot be used."""
        if line == 1 and raw.startswith(_BOM):
            raw = raw.removeprefix(_BOM)
            self._add(
                Severity.WARNING, "bom", "", line, 1, "starts with a byte order mark", "Save as UTF-8 without BOM."
            )
        raw = raw.removesuffix(b"\r")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            column = len(raw[: error.start].decode("utf-8")) + 1
            why = f"byte 0x{raw[error.start]:02x} is not UTF-8"
            self._add(Severity.ERROR, "not_utf8", "", line, column, why, "Save the file as UTF-8.")
            return None
        return self._cells(line, text)

    def _cells(self, line: int, text: str) -> Row | None:
        control = _CONTROL.search(text)
        if control:
            identifier = text.split("|")[0] if control.start() > text.find("|") >= 0 else ""
            why = f"contains the character U+{ord(control.group()):04X}"
            self._add(Severity.ERROR, "control_character", identifier, line, control.start() + 1, why, "Remove it.")
            return None
        if not text.strip():
            self._add(Severity.WARNING, "blank_line", "", line, 1, "is blank", "Remove the line.")
            return None
        cells = text.split("|")
        if len(cells) not in self._columns:
            wanted = " or ".join(map(str, self._columns))
            why = f"has {len(cells)} columns, expected {wanted} separated by |"
            self._add(Severity.ERROR, "column_count", cells[0].strip(), line, 1, why, "Write it as id|text.")
            return None
        return self._checked(line, cells, text)

    def _checked(self, line: int, cells: list[str], text: str) -> Row | None:
        identifier, spoken = cells[0].strip(), cells[-1].strip()
        column = len(text) - len(cells[-1]) + 1
        self._check_width(line, identifier, len(cells))
        if not self._id_is_sound(line, identifier):
            return None
        self._seen[identifier] = line
        if not spoken:
            self._add(
                Severity.ERROR, "empty_transcript", identifier, line, column, "has no text", "Write what is said."
            )
            return None
        if not any(character.isalnum() for character in spoken):
            why = "has nothing to speak, only signs"
            self._add(Severity.ERROR, "no_words", identifier, line, column, why, "Write what is said.")
            return None
        self._check_text(line, identifier, spoken, column)
        return Row(line, identifier, spoken)

    def _check_width(self, line: int, identifier: str, width: int) -> None:
        self._width = self._width or width
        if width != self._width:
            why = f"has {width} columns, the first line {self._width}"
            self._add(Severity.WARNING, "column_mix", identifier, line, 1, why, "Write all lines the same way.")

    def _id_is_sound(self, line: int, identifier: str) -> bool:
        if not identifier:
            self._add(Severity.ERROR, "empty_id", "", line, 1, "has no id", "Write the name of the recording.")
        elif "/" in identifier or "\\" in identifier or identifier.startswith("."):
            why = f"id {identifier!r} is not a plain file name"
            self._add(Severity.ERROR, "bad_id", identifier, line, 1, why, "Use the file name without its suffix.")
        elif identifier in self._seen:
            why = f"id {identifier!r} stands already in line {self._seen[identifier]}"
            self._add(Severity.ERROR, "duplicate_id", identifier, line, 1, why, "Keep one of the lines.")
        else:
            return True
        return False

    def _check_text(self, line: int, identifier: str, spoken: str, column: int) -> None:
        if len(spoken) > _MAX_CHARACTERS:
            why = f"has {len(spoken)} characters"
            self._add(Severity.ERROR, "long_transcript", identifier, line, column, why, "Cut the recording up.")
        if not unicodedata.is_normalized("NFC", spoken):
            why = "has letters and accents as separate characters (not NFC)"
            self._add(Severity.WARNING, "not_nfc", identifier, line, column, why, "Normalise the text to NFC.")

    def _add(
        self, severity: Severity, kind: str, identifier: str, line: int, column: int, what: str, todo: str
    ) -> None:
        where = f"{self._name}:{line}:{column}"
        self.problems.append(Problem(severity, kind, identifier, where, what, todo))
