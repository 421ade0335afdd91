"""Tables of transcripts, one utterance a line: read whole, every fault reported with file:line:column."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from speechkd.data.corpus import FOREIGN_SUFFIXES, READABLE_SUFFIXES, Problem, Severity
from speechkd.data.texts import control_fault, spoken_faults
from speechkd.errors import DataError

_BOM = b"\xef\xbb\xbf"
_MAX_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Row:
    """One sound line: its number from 1, the id, the text to speak, and who speaks."""

    line: int
    id: str
    text: str
    speaker: str = ""


@dataclass(frozen=True)
class TableForm:
    """What the cells of a line mean: `columns` names, for each number of cells that a line may have, what they hold.

    Names: "id", "text", "speaker"; any other is passed over. `header`: the first line holds names of columns.
    `file_names`: an id may be written as the path of its recording.
    """

    columns: tuple[tuple[str, ...], ...] = (("id", "text"), ("id", "raw", "text"))
    delimiter: str = "|"
    header: bool = False
    file_names: bool = False

    def cells(self, text: str) -> list[str]:
        """The cells of a line. With a comma, a cell in quotes may hold commas, a quote in it is doubled."""
        if self.delimiter != ",":
            return text.split(self.delimiter)
        return [cell[1:-1].replace('""', '"') if quoted(cell) else cell for cell in _COMMA_CELL.findall(text + ",")]

    def names(self, width: int) -> tuple[str, ...] | None:
        """What `width` cells hold; None when no line has that many."""
        return next((names for names in self.columns if len(names) == width), None)


_COMMA_CELL = re.compile(r'("(?:[^"]|"")*"|[^,]*),')
_SIGN_NAMES = {"|": "|", ",": "commas", "\t": "tabs"}


def quoted(cell: str) -> bool:
    """Whether a cell is wrapped in quotes."""
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def read_table(path: Path, form: TableForm | None = None) -> tuple[list[Row], list[Problem]]:
    """Read `id|text` or `id|raw|normalised` lines, or those of another `form`.

    Returns the usable rows and every problem. Raises `DataError` only when the file itself cannot be read.
    """
    reader = _Table(path.name, form or TableForm())
    rows = [row for row in map(reader.row, *_numbered_lines(read_bytes(path))) if row is not None]
    reader.finish()
    return rows, reader.problems


def read_sentence(path: Path, identifier: str, place: str) -> tuple[str | None, list[Problem]]:
    """The text of a file that holds one sentence, None when it cannot be spoken, and what is wrong with it.

    Line ends are taken as spaces. `place` is the file's name in the problems.
    """
    try:
        raw = read_bytes(path)
        text = raw.decode("utf-8-sig")
    except DataError as error:
        what = f"cannot be read: {error.why}"
        return None, [Problem(Severity.ERROR, "unreadable", identifier, place, what, "Copy it again.")]
    except UnicodeDecodeError as error:
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        where = f"{place}:1:{error.start + 1}"
        return None, [Problem(Severity.ERROR, "not_utf8", identifier, where, what, "Save the file as UTF-8.")]
    text = " ".join(text.split())
    control = control_fault(text)
    faults = [control] if control else list(spoken_faults(text))
    problems = [
        Problem(
            Severity.WARNING if fault.usable else Severity.ERROR,
            fault.kind, identifier, f"{place}:1:{fault.at + 1}", fault.what, fault.todo,
        )
        for fault in faults
    ]  # fmt: skip
    return (text if all(fault.usable for fault in faults) else None), problems


def read_bytes(path: Path) -> bytes:
    """A text file's bytes. Raises `DataError` when it cannot be read or is too large to be one."""
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

    def __init__(self, name: str, form: TableForm) -> None:
        self._name = name
        self._form = form
        self._width: int | None = None
        self._seen: dict[str, int] = {}
        self._last = ""
        self._unsorted = 0
        self._lines = 0
        self._returns: list[tuple[int, str]] = []
        self.problems: list[Problem] = []

    def row(self, line: int, raw: bytes) -> Row | None:
        """The row in `raw`, or None when it cannot be used."""
        self._lines += 1
        if line == 1 and raw.startswith(_BOM):
            raw = raw.removeprefix(_BOM)
            self._warn("bom", "", line, 1, "starts with a byte order mark", "Save as UTF-8 without BOM.")
        sign = self._form.delimiter.encode()
        if raw.endswith(b"\r"):
            raw = raw.removesuffix(b"\r")
            self._returns.append((line, raw.split(sign)[0].decode("utf-8", "replace").strip()))
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            column = len(raw[: error.start].decode("utf-8")) + 1
            why = f"byte 0x{raw[error.start]:02x} is not UTF-8"
            identifier = raw[: error.start].split(sign)[0].decode("utf-8") if sign in raw[: error.start] else ""
            self._error("not_utf8", identifier, line, column, why, "Save the file as UTF-8.")
            return None
        return self._cells(line, text)

    def finish(self) -> None:
        """What can be said of the table only after its last line."""
        if self._returns and len(self._returns) == self._lines:
            self._warn("crlf", "", 1, 1, "all lines end in CR LF", "Save with Unix line ends.")
        else:
            for line, identifier in self._returns:
                self._warn("crlf", identifier, line, 1, "ends in CR LF, others do not", "Save with Unix line ends.")
        if self._unsorted:
            what = f"{self._unsorted} ids stand before a smaller one"
            self.problems.append(Problem(Severity.INFO, "unsorted", "", f"{self._name}:1:1", what, ""))

    def _cells(self, line: int, text: str) -> Row | None:
        sign = self._form.delimiter
        control = control_fault(text, allowed=sign)
        if control:
            identifier = text.split(sign)[0] if control.at > text.find(sign) >= 0 else ""
            self._error(control.kind, identifier, line, control.at + 1, control.what, control.todo)
            return None
        if not text.strip():
            self._warn("blank_line", "", line, 1, "is blank", "Remove the line.")
            return None
        cells = self._form.cells(text)
        if line == 1 and self._form.header:
            return None
        names = self._form.names(len(cells))
        if names is None:
            wanted = " or ".join(str(len(names)) for names in self._form.columns)
            why = f"has {len(cells)} columns, expected {wanted} separated by {_SIGN_NAMES[sign]}"
            todo = f"Write it as {sign.join(self._form.columns[0])!r}."
            self._error("column_count", _name(cells[0]), line, 1, why, todo)
            return None
        return self._checked(line, dict(zip(names, cells, strict=True)), text)

    def _checked(self, line: int, cells: dict[str, str], text: str) -> Row | None:
        identifier, spoken = cells["id"].strip(), cells["text"].strip()
        if self._form.file_names:
            identifier = _stem(identifier)
        column = text.rfind(cells["text"]) + 1
        self._check_width(line, identifier, len(cells))
        if not self._id_is_sound(line, identifier):
            return None
        self._seen[_form(identifier)] = line
        self._unsorted += identifier < self._last
        self._last = identifier
        usable = True
        for fault in spoken_faults(spoken):
            usable = usable and fault.usable
            severity = Severity.WARNING if fault.usable else Severity.ERROR
            self._add(severity, fault.kind, identifier, line, column, fault.what, fault.todo)
        return Row(line, identifier, spoken, cells.get("speaker", "").strip()) if usable else None

    def _check_width(self, line: int, identifier: str, width: int) -> None:
        self._width = self._width or width
        if width != self._width:
            why = f"has {width} columns, the first line {self._width}"
            self._warn("column_mix", identifier, line, 1, why, "Write all lines the same way.")

    def _id_is_sound(self, line: int, identifier: str) -> bool:
        if not identifier:
            self._error("empty_id", "", line, 1, "has no id", "Write the name of the recording.")
        elif "/" in identifier or "\\" in identifier or identifier.startswith("."):
            why = f"id {identifier!r} is not a plain file name"
            self._error("bad_id", identifier, line, 1, why, "Use the file name without its suffix.")
        elif _form(identifier) in self._seen:
            why = f"id {identifier!r} stands already in line {self._seen[_form(identifier)]}"
            self._error("duplicate_id", identifier, line, 1, why, "Keep one of the lines.")
        else:
            return True
        return False

    def _error(self, kind: str, identifier: str, line: int, column: int, what: str, todo: str) -> None:
        self._add(Severity.ERROR, kind, identifier, line, column, what, todo)

    def _warn(self, kind: str, identifier: str, line: int, column: int, what: str, todo: str) -> None:
        self._add(Severity.WARNING, kind, identifier, line, column, what, todo)

    def _add(
        self, severity: Severity, kind: str, identifier: str, line: int, column: int, what: str, todo: str
    ) -> None:
        where = f"{self._name}:{line}:{column}"
        self.problems.append(Problem(severity, kind, identifier, where, what, todo))


def _name(cell: str) -> str:
    """The id in the first cell of a line that cannot be used: "" when it holds something else."""
    name = cell.strip()
    return name if len(name) <= 100 and not any(map(str.isspace, name)) else ""


def _stem(name: str) -> str:
    """The id in the name of a recording: "wavs/ann/a.wav" is "a". What leads out of the corpus stays as it is."""
    if ".." in name.split("/") or name.startswith("/"):
        return name
    stem, suffix = os.path.splitext(name.rsplit("/", 1)[-1])
    return stem if suffix.lower() in READABLE_SUFFIXES + FOREIGN_SUFFIXES else stem + suffix


def _form(identifier: str) -> str:
    return unicodedata.normalize("NFC", identifier)
