"""Phonemes written into the text: "say [[T AH0 M AA1 T OW2]]", several words as "[[G UH1 D | M AO1 R N IH0 NG]]"."""

from __future__ import annotations

import difflib
import re

from speechkd.errors import DataError
from speechkd.text.lexicon import Phones
from speechkd.text.symbols import PHONES, VOWELS, WORD_BOUNDARY, is_phone
from speechkd.text.tokens import Word

OPEN, CLOSE = "[[", "]]"
# A whole passage of phonemes: what is between the brackets has none of its own.
PASSAGE = re.compile(r"\[\[([^\[\]]*)\]\]")
# Stands for a passage while the text around it is normalised. The reading of characters lets no private-use character
# through, so that it cannot come from the text.
PLACEHOLDER = "\ue001"


def cut_passages(text: str) -> tuple[list[str], list[str]]:
    """The text around the passages (one piece more than passages), and each passage as "[[A]]" of one word or more.

    DataError tells the column of a bracket that is never closed and of a phone that does not exist.
    """
    pieces: list[str] = []
    passages: list[str] = []
    start = 0
    for match in PASSAGE.finditer(text):
        pieces.append(text[start : match.start()])
        words = read_passage(match[1], text, match.start(1))
        passages.append(" ".join(f"{OPEN}{' '.join(phones)}{CLOSE}" for phones in words))
        start = match.end()
    pieces.append(text[start:])
    _check_closed(text, pieces)
    return pieces, passages


def read_passage(inside: str, text: str, start: int) -> list[Phones]:
    """The phones of each word of a passage that begins at `start` of the text."""
    words: list[list[str]] = [[]]
    for match in re.finditer(r"[^\s|]+|\|", inside):
        if match[0] == WORD_BOUNDARY:
            words.append([])
        else:
            _check_phone(match[0], text, start + match.start())
            words[-1].append(match[0])
    if not all(words):
        raise DataError("a word of phonemes has no phones", where=place_of(text, start), todo="Write [[HH AH0 L OW1]]")
    return [tuple(phones) for phones in words]


def inline_word(piece: str) -> Word:
    """The word of "[[HH AH0 L OW1]]"; its text is the phones joined by underscores, so that it has no blank."""
    phones = tuple(piece[len(OPEN) : -len(CLOSE)].split())
    for phone in phones:
        _check_phone(phone, piece, 0)
    if not phones:
        raise DataError("a word of phonemes has no phones", where=repr(piece))
    return Word("_".join(phones), phones, "inline")


def place_of(text: str, place: int) -> str:
    """Where a character stands, for people: "line 2, column 5 (… [[HH A …)"."""
    line = text.count("\n", 0, place) + 1
    column = place - text.rfind("\n", 0, place)
    around = " ".join(text[max(0, place - 12) : place + 24].split())
    return f"{f'line {line}, ' if line > 1 else ''}column {column} ({around!r})"


def _check_closed(text: str, pieces: list[str]) -> None:
    end = len(text)
    # From the back: the first piece that holds a bracket need not be looked for again.
    for piece in reversed(pieces):
        begin = end - len(piece)
        if (place := piece.find(OPEN)) >= 0:
            raise DataError(
                f"phonemes begin with {OPEN} and do not end",
                where=place_of(text, begin + place),
                todo=f"Close them with {CLOSE}: [[HH AH0 L OW1]]",
            )
        passage = text.rfind(OPEN, 0, begin)
        end = passage if passage >= 0 else 0


def _check_phone(phone: str, text: str, place: int) -> None:
    if is_phone(phone):
        return
    if phone.upper() in VOWELS:
        todo = f"Vowels carry a stress digit: {phone.upper()}0, {phone.upper()}1 or {phone.upper()}2."
    else:
        near = difflib.get_close_matches(phone.upper()[:8], PHONES, n=1, cutoff=0.5)
        todo = f"Did you mean {near[0]}?" if near else "Phones are ARPAbet: HH AH0 L OW1"
    raise DataError(f"unknown phone {phone[:20]!r}", where=place_of(text, place), todo=todo)
