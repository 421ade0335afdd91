"""Words in capitals: which are spelled out (FBI), which are read (NASA), which are only loud (NO)."""

from __future__ import annotations

import re
from collections.abc import Callable
from re import Match

from speechkd.text.rules.rule import SPELL

IsWord = Callable[[str], bool]

# Spelled out in capitals though the dictionary knows a word of these letters.
SPELLED = frozenset("US IT UN AM PM ID TV PC PR HR AI EU UK IP AD BC OS IQ LED CEO CIO IRS GDP".split())

# The capital tells these from other words of the same letters, so that it stays.
CAPITAL_TELLS = frozenset(("Polish",))

_TOKEN = re.compile(rf"{SPELL}?[A-Za-z]+(?:'[A-Za-z]+)*")
_CAPITALS = re.compile(r"([A-Z]{2,})('?s)?")
_SMALL_THEN_CAPITALS = re.compile(r"[a-z]{1,2}[A-Z]{2,}")
_INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# A word that can be read has vowels, and no heap of consonants.
_READABLE = re.compile(r"(?=.*[aeiou])(?!.*[^aeiouy]{4})(?!.*[aeiou]{3})(?!..?$|...$)")
_READABLE_FOUR = re.compile(r"[^aeiou]?[aeiouy][^aeiou]{1,2}[aeiouy]?[^aeiou]?")


def settle_capitals(text: str, is_word: IsWord) -> str:
    """The text in lower case, but for the letters that are to be spelled, which are in capitals."""
    shouting = not re.search("[a-z]", text) and len(re.findall("[A-Z]{2,}", text)) > 2

    def settle(match: Match[str]) -> str:
        return _settle(match[0], is_word, shouting)

    return _TOKEN.sub(settle, text)


def _settle(token: str, is_word: IsWord, shouting: bool) -> str:
    if token[0] == SPELL:
        letters, _, ending = token[1:].partition("'")
        return letters.upper() + (f"'{ending.lower()}" if ending else "")
    if len(token) == 1:
        return token.lower() if token in "AI" else token
    if token in CAPITAL_TELLS:
        return token
    if capitals := _CAPITALS.fullmatch(token):
        return _capitals(capitals[1], capitals[2] or "", is_word, shouting)
    if _SMALL_THEN_CAPITALS.fullmatch(token):
        return token.upper()
    if token[1:].islower() or not token.isalpha() or is_word(token) or is_word(token.removesuffix("s")):
        return token.lower()
    parts = _INNER_CAPITAL.split(token)
    return " ".join(_settle(part, is_word, shouting) for part in parts) if len(parts) > 1 else token.lower()


def _capitals(word: str, ending: str, is_word: IsWord, shouting: bool) -> str:
    small = word.lower()
    if word in SPELLED and not shouting:
        return word + ending
    if is_word(small) or shouting:
        return small + ending
    readable = _READABLE_FOUR.fullmatch(small) if len(word) == 4 else _READABLE.match(small)
    return (small if readable else word) + ending
