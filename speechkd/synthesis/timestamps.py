"""When everything is heard, as files: JSON, subtitles (SRT, WebVTT) and Praat TextGrids. Written as speech is made.

What a format wants at its head and is known at the end only waits in a temporary file, so that a book needs no memory.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Protocol

from speechkd.errors import UsageError
from speechkd.synthesis.files import whole_file
from speechkd.synthesis.speech import Speech, Timed

#: Subtitles: what is read at a glance (the usual rules of broadcasters: two lines of 42 characters, 7 s at most).
LINE_CHARS, CAPTION_LINES, CAPTION_S = 42, 2, 7.0
# A new caption begins after a silence as long as this: it is the end of a sentence.
_SENTENCE_GAP_S = 0.3


class TimesWriter(Protocol):
    """Takes pieces of speech one after the other."""

    def add(self, piece: Speech) -> None:
        """Write what begins in a piece; its times are from its start."""
        ...

    def finish(self) -> None:
        """Write what is left."""
        ...


def check_times_path(path: Path) -> Path:
    """The path itself if its suffix names a format; UsageError otherwise."""
    if path.suffix.lower() not in _WRITERS:
        why = "its suffix names no known format"
        raise UsageError(f"cannot write times to {path.name!r}", why=why, todo=f"Use {', '.join(_WRITERS)}")
    return path


def with_times(pieces: Iterable[Speech], path: Path) -> Iterator[Speech]:
    """The pieces themselves; their times go into a file, which is whole when the last was taken, and absent before."""
    writer_of = _WRITERS[check_times_path(path).suffix.lower()]
    with whole_file(path) as draft, draft.open("w", encoding="utf-8", newline="\n") as file:
        writer = writer_of(file)
        for piece in pieces:
            writer.add(piece)
            yield piece
        writer.finish()


class _Later:
    """Text that is written when all of it is known."""

    def __init__(self) -> None:
        # Held open for as long as the writer lives, and gone with it.
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115
        self.count = 0

    def add(self, text: str, separator: str) -> None:
        self._file.write((separator if self.count else "") + text)
        self.count += 1

    def pour(self, into: IO[str]) -> None:
        self._file.seek(0)
        shutil.copyfileobj(self._file, into)
        self._file.close()


class _JsonWriter:
    """The document of `Speech.times`, list by list."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._lists = {name: _Later() for name in ("words", "phones", "marks")}
        self._n_samples, self._sample_rate = 0, 0

    def add(self, piece: Speech) -> None:
        start_s = self._n_samples / piece.sample_rate
        moved = Speech(
            piece.samples,
            piece.sample_rate,
            *(tuple(each.shifted(start_s) for each in group) for group in (piece.words, piece.phones, piece.marks)),
        )
        for name, later in self._lists.items():
            for each in moved.times()[name]:
                later.add(json.dumps(each, sort_keys=True, ensure_ascii=False), ",\n  ")
        self._n_samples += len(piece.samples)
        self._sample_rate = piece.sample_rate

    def finish(self) -> None:
        duration_s = round(self._n_samples / max(self._sample_rate, 1), 4)
        self._file.write(f'{{\n "duration_s": {duration_s},\n "sample_rate": {self._sample_rate}')
        for name, later in self._lists.items():
            self._file.write(f',\n "{name}": [')
            later.pour(self._file)
            self._file.write("]")
        self._file.write("\n}\n")


class _CaptionWriter:
    """Subtitles: words as they come, cut where a line is full, a sentence ends or a glance would be too long."""

    def __init__(self, file: IO[str], head: str, point: str, numbered: bool) -> None:
        self._file, self._point, self._numbered = file, point, numbered
        self._words: list[Timed] = []
        self._start_s, self._count = 0.0, 0
        self._file.write(head)

    def add(self, piece: Speech) -> None:
        for word in piece.words:
            self._word(word.shifted(self._start_s))
        if not piece.words:  # the silence behind a sentence
            self.finish()
        self._start_s += piece.duration_s

    def finish(self) -> None:
        if not self._words:
            return
        self._count += 1
        first, last = self._words[0], self._words[-1]
        number = f"{self._count}\n" if self._numbered else ""
        times = f"{_clock(first.start_s, self._point)} --> {_clock(last.end_s, self._point)}"
        shown = "\n".join(_lines([word.text for word in self._words]))
        self._file.write(f"{number}{times}\n{shown}\n\n")
        self._words = []

    def _word(self, word: Timed) -> None:
        if self._words:
            waited = word.start_s - self._words[-1].end_s > _SENTENCE_GAP_S
            long = word.end_s - self._words[0].start_s > CAPTION_S
            full = len(_lines([*(each.text for each in self._words), word.text])) > CAPTION_LINES
            if waited or long or full:
                self.finish()
        self._words.append(word)


def _lines(words: list[str]) -> list[str]:
    """Words filled into lines; a word that is longer than a line has one of its own."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= LINE_CHARS:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _clock(seconds: float, point: str) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{point}{whole % 1000:03}"


class _TextGridWriter:
    """The tiers `words` and `phones`, as `speechkd.align.read_textgrid` reads them."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._tiers = {name: _Later() for name in ("words", "phones")}
        self._ends = dict.fromkeys(self._tiers, 0.0)
        self._n_samples, self._sample_rate = 0, 1

    def add(self, piece: Speech) -> None:
        start_s = self._n_samples / piece.sample_rate
        for name, each in (("words", piece.words), ("phones", piece.phones)):
            for timed in each:
                self._interval(name, timed.shifted(start_s))
        self._n_samples += len(piece.samples)
        self._sample_rate = piece.sample_rate

    def _interval(self, name: str, timed: Timed) -> None:
        """One interval, and before it the silence that nothing fills. Silences of the phones that meet are kept."""
        if timed.start_s > self._ends[name] + 1e-6:
            self._put(name, "", self._ends[name], timed.start_s)
        self._put(name, timed.text, self._ends[name], timed.end_s)

    def _put(self, name: str, label: str, start_s: float, end_s: float) -> None:
        from speechkd.align.textgrid import interval_text
        from speechkd.align.types import Interval

        if end_s > start_s:
            later = self._tiers[name]
            later.add(interval_text(later.count + 1, Interval(start_s, end_s, label)), "\n")
            self._ends[name] = end_s

    def finish(self) -> None:
        from speechkd.align.textgrid import head_text, tier_text

        duration_s = max(self._n_samples / self._sample_rate, *self._ends.values())
        self._file.write(head_text(duration_s, len(self._tiers)) + "\n")
        for number, (name, later) in enumerate(self._tiers.items(), start=1):
            self._put(name, "", self._ends[name], duration_s)
            self._file.write(tier_text(number, name, duration_s, later.count) + "\n")
            later.pour(self._file)
            self._file.write("\n")


_WRITERS: dict[str, Callable[[IO[str]], TimesWriter]] = {
    ".json": _JsonWriter,
    ".srt": lambda file: _CaptionWriter(file, "", ",", numbered=True),
    ".vtt": lambda file: _CaptionWriter(file, "WEBVTT\n\n", ".", numbered=False),
    ".textgrid": _TextGridWriter,
}
