"""Written English to spoken English: everything that is not a word becomes words.

The result has words in lower case, letters that are spelled out in capitals ("FBI"), and the marks `, . ? ! ; :`
and " - ". Phonemes in double brackets stay as they are. What cannot be spoken (emoji, other scripts, markup) is left
out and listed, never silently.
The time taken grows linearly with the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from speechkd.errors import NothingToSpeak
from speechkd.text.characters import read_characters
from speechkd.text.inline import PLACEHOLDER, cut_passages
from speechkd.text.lexicon import knows_word
from speechkd.text.rules.abbreviations import ABBREVIATION_RULES
from speechkd.text.rules.addresses import ADDRESS_RULES
from speechkd.text.rules.capitals import settle_capitals
from speechkd.text.rules.dates import date_rules
from speechkd.text.rules.files import FILE_RULES
from speechkd.text.rules.money import MONEY_RULES
from speechkd.text.rules.names_with_numbers import NAMED_NUMBER_RULES
from speechkd.text.rules.numbers import DECADE_RULES, NUMBER_RULES
from speechkd.text.rules.powers import POWER_RULES, SQUARE_RULES
from speechkd.text.rules.romans import ROMAN_RULES
from speechkd.text.rules.rule import Rule
from speechkd.text.rules.signs import EARLY_SIGN_RULES, LATE_SIGN_RULES
from speechkd.text.rules.times import TIME_RULES
from speechkd.text.rules.units import UNIT_RULES
from speechkd.text.symbols import PAUSES_BY_STRENGTH

IsWord = Callable[[str], bool]

# A word of the normalised text, or one mark that pauses. A hyphen inside a word is no pause.
PIECE = re.compile(rf"'?[A-Za-z]+(?:['-][A-Za-z]+)*'?|[,.?!;:-]|{PLACEHOLDER}|\[\[[^\[\]]*\]\]")
STRENGTH = {pause: strength for strength, pause in enumerate(PAUSES_BY_STRENGTH)}

_SPACE_RULES = (
    Rule("paragraph", r"\n[ \n]*\n", " . "),
    Rule("blanks", r"\s+", " "),
)
_MARK_RULES = (
    Rule("dashes", r"--+|(?<= )-(?= )", " - "),
    Rule("last bracket", r"[)\]](?=\s*\Z)", ""),
    Rule("brackets", r"[()\[\]]", " , "),
    Rule("underscore", "_", " "),
    Rule("loose hyphens", r"(?<![A-Za-z -])-(?=[A-Za-z])|(?<=[A-Za-z'])-(?![A-Za-z-])|(?<= )-(?=[A-Za-z])", " "),
    Rule("blanks", r"\s+", " "),
)
# Marks without a sound of their own; any other sign that is left over is reported as dropped.
_SILENT = frozenset("\"'-/ \n")


@dataclass(frozen=True)
class Normalised:
    """The spoken text, and the characters that were left out of it because they cannot be spoken."""

    text: str
    dropped: tuple[str, ...] = ()


def normalise_english(text: str, *, is_word: IsWord | None = None, day_first: bool = False) -> Normalised:
    """The text as it is spoken in American English; DataError when nothing of it can be spoken.

    `is_word` tells known words from acronyms (default: the CMU dictionary). A date such as 03/04/2026 is March
    fourth, or the third of April with `day_first`; 23/11/2026 can be read only one way.
    """
    is_word = is_word or knows_word
    pieces, passages = cut_passages(text)
    parts = [read_characters(piece) for piece in pieces]
    read = f" {PLACEHOLDER} ".join(piece for piece, _ in parts)
    dropped = tuple(char for _, left_out in parts for char in left_out)
    for rule in (*_SPACE_RULES, *_rules(day_first), *_MARK_RULES):
        read = rule(read)
    spoken, left_over = _tidy(settle_capitals(read, is_word), is_word)
    dropped += left_over
    if not spoken:
        raise NothingToSpeak(
            "the text has nothing that can be spoken",
            where=repr(text[:60]),
            why=f"dropped: {' '.join(dict.fromkeys(dropped))[:60]}" if dropped else "it has no words",
        )
    return Normalised(_restored(spoken, passages), dropped)


def _restored(spoken: str, passages: list[str]) -> str:
    """The text with its phonemes where their placeholders stand."""
    if not passages:
        return spoken
    pieces = spoken.split(PLACEHOLDER)
    return "".join(a + b for a, b in zip(pieces, [*passages, ""], strict=True))


@functools.cache
def _rules(day_first: bool) -> tuple[Rule, ...]:
    return (
        *FILE_RULES, *ADDRESS_RULES, *date_rules(day_first), *TIME_RULES, *ROMAN_RULES, *NAMED_NUMBER_RULES,
        *ABBREVIATION_RULES, *POWER_RULES, *EARLY_SIGN_RULES, *MONEY_RULES, *DECADE_RULES, *UNIT_RULES, *SQUARE_RULES,
        *NUMBER_RULES, *LATE_SIGN_RULES,
    )  # fmt: skip


def _tidy(text: str, is_word: IsWord) -> tuple[str, tuple[str, ...]]:
    """The words and, of each run of marks between them, the strongest; and the signs that are neither."""
    parts: list[str] = []
    dropped: list[str] = []
    mark, end = "", 0
    for match in PIECE.finditer(text):
        dropped += [char for char in text[end : match.start()] if char not in _SILENT]
        piece, end = match[0], match.end()
        if piece in STRENGTH:
            mark = max(mark, piece, key=lambda m: STRENGTH.get(m, -1)) if parts else ""
        else:
            parts += [_attached(mark), _without_quotes(piece, is_word)]
            mark = ""
    dropped += [char for char in text[end:] if char not in _SILENT]
    return "".join([*parts[1:], mark if mark not in ("-", "") else ""]), tuple(dropped)


def _attached(mark: str) -> str:
    return " - " if mark == "-" else mark + " "


def _without_quotes(word: str, is_word: IsWord) -> str:
    """The word without quotation marks; an apostrophe that belongs to a known word ('em, goin') stays."""
    return word if is_word(word) else word.strip("'")
