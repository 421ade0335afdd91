"""Other languages than English, read by espeak-ng: numbers, abbreviations and pronunciation are its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from speechkd.errors import NothingToSpeak
from speechkd.text.espeak_library import SEPARATOR, spoken_clauses
from speechkd.text.symbols import PAUSES_BY_STRENGTH, WORD_BOUNDARY
from speechkd.text.tokens import Tokens, Word, lay_out

STRESS_MARKS = "ˈˌ"
_PAUSE_OF = {
    ",": ",", ".": ".", "!": "!", "?": "?", ";": ";", ":": ":", "…": ".", "-": "-", "–": "-", "—": "-", "、": ",",
    "，": ",", "。": ".", "！": "!", "？": "?", "；": ";", "：": ":", "؟": "?", "،": ",", "।": ".", "(": ",", ")": ",",
    "\n": ".",
}  # fmt: skip
# "(en)" and "(de)": the language changes for a foreign word.
_LANGUAGE_SWITCH = re.compile(r"\([a-z][a-z0-9-]*\)")
# How far espeak-ng may look beyond the end of a clause, and the characters that it may have seen there.
_LOOK_AHEAD = 8
# Marks with what may stand between them.
_MARKS = re.compile(rf"[{re.escape(''.join(_PAUSE_OF))}](?:[^\w]*[{re.escape(''.join(_PAUSE_OF))}])?")
# Neither ends a clause for espeak-ng.
_PARAGRAPH = re.compile(r"(?<![.!?\s])\s*\n\s*\n\s*")
_DASH = re.compile(r"(?<=\s)-+(?=\s)")


class EspeakFrontend:
    """Text of one of espeak-ng's languages to `Tokens` with one IPA symbol per phone.

    A stress mark stands before the vowel in the same symbol ("ˈaɪ"). Pauses are those of the English layout.
    `Word.text` is the written word, the number for each word of a number, or the phones of the word where the two do
    not match.
    """

    def __init__(self, language: str) -> None:
        self.language = language

    def normalise(self, text: str) -> str:
        """The text with single blanks; espeak-ng itself reads what is not a word."""
        return " ".join(text.split())

    def tokens(self, text: str) -> Tokens:
        """The tokens of a text; DataError when it has nothing to speak."""
        words: list[Word] = []
        pauses: list[str] = []
        start = 0
        plain = _DASH.sub(" – ", _PARAGRAPH.sub(". ", unicodedata.normalize("NFC", text)))
        for clause in spoken_clauses(plain, self.language):
            end, pause = _boundary(plain, start, clause.end)
            spoken = list(_phones_of_words(clause.ipa))
            words += [
                Word(written, phones, "espeak")
                for written, phones in zip(_written(plain[start:end], spoken), spoken, strict=True)
            ]
            pauses += [WORD_BOUNDARY] * len(spoken)
            if pauses and pause != WORD_BOUNDARY:
                pauses[-1] = pause
            start = end
        if not words:
            raise NothingToSpeak("the text has nothing that can be spoken", where=repr(text[:60]))
        return lay_out(words, pauses)


def _phones_of_words(ipa: str) -> Iterator[tuple[str, ...]]:
    """The phones of each word of a clause; a stress mark that stands alone goes to the phone behind it."""
    for word in _LANGUAGE_SWITCH.sub("", ipa).split():
        phones: list[str] = []
        mark = ""
        for raw in word.split(SEPARATOR):
            phone = raw.strip("-")
            if phone and not phone.strip(STRESS_MARKS):
                mark = phone
            elif phone:
                phones.append(mark + phone)
                mark = ""
        if phones:
            yield tuple(phones)


def _boundary(text: str, start: int, end: int) -> tuple[int, str]:
    """Where the clause that espeak-ng read up to about `end` really ends, and the pause there."""
    first = max(start, end - _LOOK_AHEAD)
    marks = list(_MARKS.finditer(text, first, min(end, len(text))))
    if not marks:
        return end, WORD_BOUNDARY
    pauses = [_PAUSE_OF[char] for char in marks[-1][0] if char in _PAUSE_OF]
    return marks[-1].end(), max(pauses, key=PAUSES_BY_STRENGTH.index)


def _written(clause: str, spoken: list[tuple[str, ...]]) -> list[str]:
    """The written words of a clause, or the phones of the spoken ones where their numbers differ.

    Where one word has digits, it is what espeak-ng speaks as several.
    """
    words = [word for chunk in clause.split() if (word := _without_marks(chunk))]
    numbers = [i for i, word in enumerate(words) if any(map(str.isdigit, word))]
    if len(numbers) == 1 and len(words) < len(spoken):
        place = numbers[0]
        words[place:place] = [words[place]] * (len(spoken) - len(words))
    return words if len(words) == len(spoken) else ["".join(phones) for phones in spoken]


def _without_marks(chunk: str) -> str:
    kept = [i for i, char in enumerate(chunk) if char.isalnum()]
    return chunk[kept[0] : kept[-1] + 1] if kept else ""
