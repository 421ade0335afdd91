"""Tables of cases: what is written and what a careful American newsreader says.

`english.tsv` holds texts and their readings (category, written, spoken, options); `homographs.tsv` holds sentences
with one word between asterisks and the reading of it (part, reading, sentence). The expectations were written by hand
and do not come from the code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from speechkd.errors import DataError
from speechkd.text.frontend import EnglishFrontend
from speechkd.text.homographs import readings
from speechkd.text.lexicon import cmu_lexicon
from speechkd.text.normalise import normalise_english
from speechkd.text.pronounce import LETTER_NAMES

FOLDER = Path(__file__).resolve().parent
READINGS = FOLDER / "english.tsv"
HOMOGRAPHS = FOLDER / "homographs.tsv"
OPTIONS = frozenset(("day_first",))


@dataclass(frozen=True)
class ReadingCase:
    """A text and its reading; `options` are names of flags of `normalise_english`."""

    category: str
    written: str
    spoken: str
    options: tuple[str, ...] = ()

    def heard(self) -> str:
        """What the normaliser makes of the text."""
        return normalise_english(self.written, day_first="day_first" in self.options).text


def read_readings(path: Path = READINGS) -> list[ReadingCase]:
    """The cases of a table of readings, in order; DataError names the line of a damaged one."""
    cases = []
    for number, (category, written, spoken, *options) in _rows(path, fewest=3, most=4):
        if unknown := set(options) - OPTIONS - {""}:
            raise DataError(f"unknown options {sorted(unknown)}", where=f"{path.name}:{number}")
        cases.append(ReadingCase(category, written, spoken, tuple(filter(None, options))))
    return cases


@dataclass(frozen=True)
class HomographCase:
    """A sentence and the name of the reading of its `word`, the `place`-th of all words of the normalised text.

    `part` is "tuned" for sentences that the rules were made with, "heldout" for those that they never saw.
    """

    part: str
    reading: str
    sentence: str
    word: str
    place: int

    def heard(self, frontend: EnglishFrontend) -> tuple[str, ...]:
        """The phones that the front end gives the word."""
        word = frontend.tokens(self.sentence).words[self.place]
        if word.text != self.word.lower():
            raise DataError(f"word {self.place} is {word.text!r} and not {self.word!r}", where=self.sentence)
        return word.phones

    def expected(self) -> tuple[str, ...]:
        """The phones of the reading."""
        return readings(self.word.lower())[self.reading]


def read_homographs(path: Path = HOMOGRAPHS) -> list[HomographCase]:
    """The sentences of a table of homographs, in order; DataError names the line of a damaged one."""
    cases = []
    for number, (part, reading, marked) in _rows(path, fewest=3, most=3):
        found = re.fullmatch(r"([^*]*)\*([A-Za-z']+)\*([^*]*)", marked)
        if not found or reading not in readings(found[2].lower()):
            raise DataError(f"no word between asterisks with the reading {reading!r}", where=f"{path.name}:{number}")
        place = len(found[1].split())
        cases.append(HomographCase(part, reading, "".join(found.groups()), found[2], place))
    return cases


def same_reading(expected: str, heard: str) -> bool:
    """Whether two readings sound the same.

    A hyphen inside a word and a blank do; so do "FBI" and "fbi" where the dictionary lists the word as its letters.
    """
    return _canonical(expected) == _canonical(heard)


def _canonical(reading: str) -> str:
    return " ".join(_spelled(word) for word in re.sub(r"(?<=\w)-(?=\w)|(?<=s)'(?!\w)", " ", reading).split())


def _spelled(word: str) -> str:
    """A word that the dictionary lists as the names of its letters, in capitals."""
    stem, letters, ending = "", word, ""
    if match := re.fullmatch(r"([a-z]+?)('?s)?([,.?!;:]?)", word):
        stem, letters, ending = match[1], match[1].upper(), (match[2] or "") + match[3]
    sounds = [tuple(p.rstrip("012") for p in phones) for phones in cmu_lexicon().variants(stem)] if stem else []
    names = tuple(p.rstrip("012") for letter in stem for p in LETTER_NAMES[letter])
    return letters + ending if len(stem) > 1 and sounds[:1] == [names] else word


def _rows(path: Path, fewest: int, most: int) -> list[tuple[int, list[str]]]:
    """The rows of a tab-separated table behind its heading, with their line numbers."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()[1:], start=2):
        cells = line.split("\t")
        if not fewest <= len(cells) <= most:
            raise DataError(
                f"{len(cells)} cells", where=f"{path.name}:{number}", why=f"{fewest} to {most} are expected"
            )
        rows.append((number, cells))
    return rows
