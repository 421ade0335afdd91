"""Alignments: labelled intervals of time for the words and the phones of one utterance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text import Tokens

#: The label of silence in `Alignment.phones`.
SILENCE = ""

#: Two times closer than this are the same instant (TextGrids are often written with three decimals).
SAME_INSTANT_S = 0.002


@dataclass(frozen=True)
class Interval:
    """A stretch of time, in seconds from the start of the recording, and what is said in it."""

    start_s: float
    end_s: float
    label: str

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class AlignInput:
    """One utterance of a corpus that is to be aligned: what is said in which recording, and by whom."""

    id: str
    text_tokens: Tokens
    audio_path: Path
    speaker: str


@dataclass(frozen=True)
class Alignment:
    """Words and phones of one utterance in time.

    `phones` cover [0, duration_s] without gaps or overlaps, a silence is an interval labelled "". `words` hold the
    spoken words only, in order. `note` says what an aligner had to do beyond its usual search; "" when nothing.
    """

    words: tuple[Interval, ...]
    phones: tuple[Interval, ...]
    duration_s: float
    note: str = ""

    def problems(self) -> Iterator[str]:
        """Everything that contradicts the promises above, in words; nothing when the alignment is sound."""
        yield from _order_problems("word", self.words)
        yield from _order_problems("phone", self.phones)
        yield from self._cover_problems()
        if self.words and not 0 <= self.words[0].start_s <= self.words[-1].end_s <= self.duration_s + SAME_INSTANT_S:
            yield f"words outside of 0 .. {self.duration_s:.3f} s"

    def _cover_problems(self) -> Iterator[str]:
        if not self.phones:
            yield "no phone"
            return
        if abs(self.phones[0].start_s) > SAME_INSTANT_S:
            yield f"phones start at {self.phones[0].start_s:.3f} s, not at 0"
        if abs(self.phones[-1].end_s - self.duration_s) > SAME_INSTANT_S:
            yield f"phones end at {self.phones[-1].end_s:.3f} s, the recording at {self.duration_s:.3f} s"
        for left, right in zip(self.phones, self.phones[1:], strict=False):
            if right.start_s - left.end_s > SAME_INSTANT_S:
                yield f"gap between phones at {left.end_s:.3f} s"

    def check(self, where: str | None = None) -> Alignment:
        """This alignment, or a `DataError` with the first of its `problems`."""
        for problem in self.problems():
            raise DataError("Broken alignment", where=where, why=problem, todo="Align this utterance again.")
        return self

    def spoken_phones(self) -> tuple[Interval, ...]:
        """The phones without the silences."""
        return tuple(phone for phone in self.phones if phone.label != SILENCE)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form: intervals as [start_s, end_s, label]; the note only where there is one."""
        plain: dict[str, Any] = {
            "duration_s": self.duration_s,
            "words": [[w.start_s, w.end_s, w.label] for w in self.words],
            "phones": [[p.start_s, p.end_s, p.label] for p in self.phones],
        }
        return plain | ({"note": self.note} if self.note else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Alignment:
        """Inverse of `to_json`. Raises `DataError` when the form is another one."""
        try:
            words, phones = (_intervals(data[tier]) for tier in ("words", "phones"))
            return cls(words, phones, float(data["duration_s"]), str(data.get("note", "")))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError("Not an alignment", why=str(error)) from error


def _intervals(rows: Sequence[Sequence[Any]]) -> tuple[Interval, ...]:
    return tuple(Interval(float(start), float(end), str(label)) for start, end, label in rows)


def _order_problems(kind: str, intervals: Sequence[Interval]) -> Iterator[str]:
    previous_end = 0.0
    for interval in intervals:
        name = f"{kind} {interval.label!r}"
        if not (math.isfinite(interval.start_s) and math.isfinite(interval.end_s)):
            yield f"{name} has a time that is not a number"
            return
        if interval.end_s <= interval.start_s:
            yield f"{name} at {interval.start_s:.3f} s has no length"
        if interval.start_s < previous_end - SAME_INSTANT_S:
            yield f"{name} at {interval.start_s:.3f} s overlaps the one before it"
        previous_end = interval.end_s
