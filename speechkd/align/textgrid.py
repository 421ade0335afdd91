"""Praat TextGrids: long and short text format in, long format out; tiers `words` and `phones` as MFA names them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from speechkd.align.types import SAME_INSTANT_S, SILENCE, Alignment, Interval
from speechkd.errors import DataError

#: Labels of the phone tier that mean silence. "spn" is not one of them: it stands for a word without pronunciation.
SILENT_LABELS = frozenset({"", "sil", "sp", "SIL", "<sil>", "<eps>", "pau"})

_MAX_BYTES = 32 * 2**20

# Praat reads only free-standing numbers, quoted strings (a quote inside is doubled) and flags; all else is decoration.
_VALUE = re.compile(
    r'"(?:[^"]|"")*"|(?<!\S)[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\S)|<exists>|<absent>|(?m:^\s*!.*$)'
)


@dataclass(frozen=True)
class Tier:
    """One interval tier with its intervals as they stand in the file (silences included)."""

    name: str
    start_s: float
    end_s: float
    intervals: tuple[Interval, ...]


def read_textgrid(path: Path) -> Alignment:
    """Read the `words` and `phones` tiers of a TextGrid, as any version of MFA writes them.

    Silence labels (`SILENT_LABELS`) of the phone tier become "", those of the word tier are dropped. Stretches of the
    phone tier without an interval are silence (MFA 2 leaves it out), and so is the rest up to the end of the longer
    tier; neighbouring silences are one.
    Raises `DataError` with file:line for everything that is not a sound alignment.
    """
    tiers = read_tiers(path)
    words, phones = _tier(tiers, "words", path), _tier(tiers, "phones", path)
    # A tier may be cut at its last interval; only rounding apart is the phone tier's own end the better one.
    longer = words.end_s > phones.end_s + SAME_INSTANT_S
    duration_s = words.end_s if longer else phones.end_s
    filled = _without_gaps(phones, duration_s)
    spoken = tuple(word for word in words.intervals if _is_word(word, filled))
    return Alignment(spoken, filled, duration_s).check(str(path))


def find_textgrids(folder: Path) -> dict[str, Path]:
    """The TextGrids in a folder by name, sorted. Raises `DataError` when they are packed into zip archives."""
    found = {path.stem: path for path in sorted(folder.glob("*.TextGrid"))}
    if not found and any(folder.glob("*.zip")):
        todo = "Unpack them: unzip '*.zip'"
        raise DataError("The TextGrids are packed into archives", where=str(folder), todo=todo)
    return found


def read_tiers(path: Path) -> list[Tier]:
    """All interval tiers of a TextGrid file (point tiers are skipped). Raises `DataError` with file:line."""
    return _Reader(path, _decode(path)).tiers()


def write_textgrid(path: Path, alignment: Alignment) -> None:
    """Write `alignment` as a long-format UTF-8 TextGrid with the tiers `words` and `phones`."""
    path.write_text(format_textgrid(alignment), encoding="utf-8", newline="\n")


def format_textgrid(alignment: Alignment) -> str:
    """The text of a long-format TextGrid with the tiers `words` and `phones`."""
    tiers = (("words", _fill_gaps(alignment.words, alignment.duration_s)), ("phones", alignment.phones))
    lines = [head_text(alignment.duration_s, len(tiers))]
    for number, (name, intervals) in enumerate(tiers, start=1):
        lines.append(tier_text(number, name, alignment.duration_s, len(intervals)))
        lines += [interval_text(index, interval) for index, interval in enumerate(intervals, start=1)]
    return "\n".join(lines) + "\n"


def head_text(duration_s: float, n_tiers: int) -> str:
    """What stands before the tiers; no newline at the end."""
    head = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0.0", f"xmax = {float(duration_s)!r}"]
    return "\n".join([*head, "tiers? <exists>", f"size = {n_tiers}", "item []:"])


def tier_text(number: int, name: str, duration_s: float, n_intervals: int) -> str:
    """What stands before the intervals of a tier, the `number`-th (from 1); no newline at the end."""
    lines = [
        f"    item [{number}]:",
        '        class = "IntervalTier"',
        f'        name = "{name}"',
        "        xmin = 0.0",
    ]
    lines += [f"        xmax = {float(duration_s)!r}", f"        intervals: size = {n_intervals}"]
    return "\n".join(lines)


def interval_text(index: int, interval: Interval) -> str:
    """The four lines of an interval, the `index`-th of its tier (from 1); no newline at the end."""
    label = interval.label.replace('"', '""')
    return (
        f"        intervals [{index}]:\n            xmin = {float(interval.start_s)!r}\n"
        f'            xmax = {float(interval.end_s)!r}\n            text = "{label}"'
    )


def _decode(path: Path) -> str:
    try:
        if not path.is_file():
            raise DataError("TextGrid not found", where=str(path), todo="Align the corpus first, or check the folder.")
        if path.stat().st_size > _MAX_BYTES:
            raise DataError("TextGrid too large", where=str(path), why=f"over {_MAX_BYTES} bytes")
        raw = path.read_bytes()
    except OSError as error:
        raise DataError("Cannot read the TextGrid", where=str(path), why=error.strerror or str(error)) from error
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        todo = "Save it as UTF-8 or UTF-16."
        raise DataError("TextGrid is not text", where=f"{path}:{line}", why=f"not {encoding}", todo=todo) from error


class _Reader:
    """Walks over the values of a TextGrid; knows the line of each for the error messages."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text
        self._values = [m for m in _VALUE.finditer(text) if not m.group().lstrip().startswith("!")]
        self._at = 0

    def tiers(self) -> list[Tier]:
        if self._string() != "ooTextFile" or self._string() != "TextGrid":
            self._fail("not a TextGrid in text format")
        self._number(), self._number()
        if self._raw() != "<exists>":
            return []
        return [tier for tier in (self._one_tier() for _ in range(self._count(5))) if tier is not None]

    def _one_tier(self) -> Tier | None:
        kind, name = self._string(), self._string()
        start_s, end_s = self._number(), self._number()
        if kind == "TextTier":
            for _ in range(self._count(2)):
                self._number(), self._string()
            return None
        if kind != "IntervalTier":
            self._fail(f"unknown tier class {kind!r}")
        return Tier(name, start_s, end_s, self._intervals(self._count(3)))

    def _intervals(self, count: int) -> tuple[Interval, ...]:
        found: list[Interval] = []
        for _ in range(count):
            interval = Interval(self._number(), self._number(), "")
            interval = Interval(interval.start_s, interval.end_s, self._string().strip())
            self._check(found[-1] if found else None, interval)
            found.append(interval)
        return tuple(found)

    def _check(self, before: Interval | None, interval: Interval) -> None:
        if interval.end_s <= interval.start_s:
            self._fail(f"interval {interval.label!r} has no length ({interval.start_s} to {interval.end_s})")
        if before and interval.start_s < before.end_s - SAME_INSTANT_S:
            self._fail(f"interval {interval.label!r} starts at {interval.start_s}, before {before.end_s}")

    def _raw(self) -> str:
        if self._at >= len(self._values):
            self._fail("the file ends too early")
        value = self._values[self._at].group()
        self._at += 1
        return value

    def _string(self) -> str:
        value = self._raw()
        if not value.startswith('"'):
            self._fail(f"expected a quoted text, found {value}")
        return value[1:-1].replace('""', '"')

    def _number(self) -> float:
        value = self._raw()
        number = float(value) if value[0] not in '"<' else math.nan
        if not math.isfinite(number):
            self._fail(f"expected a number, found {value[:40]}")
        return number

    def _count(self, values_each: int) -> int:
        number = self._number()
        if number < 0 or number != int(number) or number * values_each > len(self._values) - self._at:
            self._fail(f"count {number:g} does not fit the rest of the file")
        return int(number)

    def _fail(self, why: str) -> NoReturn:
        at = min(self._at, len(self._values)) - 1
        offset = self._values[at].start() if at >= 0 else 0
        line = self._text.count("\n", 0, offset) + 1
        todo = "Write it again with Praat or the aligner that made it."
        raise DataError("Broken TextGrid", where=f"{self._path}:{line}", why=why, todo=todo)


def _tier(tiers: Iterable[Tier], name: str, path: Path) -> Tier:
    """The only tier called `name`; MFA writes "speaker - words" when it knows the speaker."""
    tiers = list(tiers)
    matching = [tier for tier in tiers if tier.name == name or tier.name.endswith(f" - {name}")]
    if len(matching) != 1:
        names = ", ".join(repr(tier.name) for tier in tiers) or "none"
        todo = "The TextGrid of an utterance holds one speaker."
        raise DataError(f"Expected one tier {name!r}", where=str(path), why=f"tiers: {names}", todo=todo)
    return matching[0]


def _is_word(word: Interval, phones: Sequence[Interval]) -> bool:
    """Whether something is said: "sil" and "pau" may be words of the text too, and then they have phones."""
    if word.label not in SILENT_LABELS:
        return True
    return bool(word.label) and any(
        phone.label != SILENCE and word.start_s < (phone.start_s + phone.end_s) / 2 < word.end_s for phone in phones
    )


def _without_gaps(tier: Tier, duration_s: float) -> tuple[Interval, ...]:
    """Intervals that meet exactly and cover [0, duration_s]; differences of rounding only are moved."""
    phones: list[Interval] = []

    def add(start_s: float, end_s: float, label: str) -> None:
        if phones and label == phones[-1].label == SILENCE:
            start_s = phones.pop().start_s
        phones.append(Interval(start_s, end_s, label))

    end_s = 0.0
    for phone in tier.intervals:
        if phone.start_s - end_s > SAME_INSTANT_S:
            add(end_s, phone.start_s, SILENCE)
            end_s = phone.start_s
        label = SILENCE if phone.label in SILENT_LABELS else phone.label
        close = abs(phone.end_s - duration_s) <= SAME_INSTANT_S
        start_s, end_s = end_s, duration_s if close else phone.end_s
        add(start_s, end_s, label)
    if tier.intervals and duration_s > end_s:
        add(end_s, duration_s, SILENCE)
    return tuple(phones)


def _fill_gaps(intervals: Sequence[Interval], duration_s: float) -> list[Interval]:
    filled: list[Interval] = []
    at = 0.0
    for interval in intervals:
        if interval.start_s > at:
            filled.append(Interval(at, interval.start_s, SILENCE))
        filled.append(interval)
        at = interval.end_s
    if duration_s > at:
        filled.append(Interval(at, duration_s, SILENCE))
    return filled
