"""Characters: what each is read as, and which cannot be read at all."""

from __future__ import annotations

import re
import unicodedata

# Characters with a plain reading; all others must decompose to ASCII letters and digits, or are dropped with a record.
READ_AS = {
    "\u2018": "'", "\u2019": "'", "\u201b": "'", "\u02bc": "'", "\u2032": "'", "\u00b4": "'", "`": "'",
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2033": '"', "\u00ab": '"', "\u00bb": '"', "\u201a": '"',
    "\u2039": '"', "\u203a": '"',
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2212": "-", "\u2013": " - ", "\u2014": " - ", "\u2015": " - ",
    "\u2026": "...", "\u00a1": "", "\u00bf": "", "\u3002": ".", "\uff0c": ",", "\u2022": ", ", "\u00b7": " ",
    "\u00d7": " times ", "\u00f7": " divided by ", "\u00b1": " plus or minus ", "\u2248": " about ",
    "\u2260": " is not equal to ", "\u2264": " is at most ", "\u2265": " is at least ", "\u221e": " infinity ",
    "\u2192": " to ", "\u221a": " square root of ", "\u03c0": " pi ",
    "\u00bd": " 1/2 ", "\u00bc": " 1/4 ", "\u00be": " 3/4 ", "\u2153": " 1/3 ", "\u2154": " 2/3 ", "\u215b": " 1/8 ",
    "\u00a9": " copyright ", "\u2122": "", "\u00ae": "",
    "\u00a7": " section ", "\u00b5": "μ", "\u2103": "°C", "\u2109": "°F",
    "\u00df": "ss", "\u00e6": "ae", "\u00c6": "AE", "\u0153": "oe", "\u0152": "OE", "\u00f8": "o", "\u00d8": "O",
    "\u0142": "l", "\u0141": "L", "\u0111": "d", "\u0110": "D", "\u00f0": "th", "\u00d0": "Th", "\u00fe": "th",
    "\u00de": "Th", "\u0131": "i",
}  # fmt: skip
# Written marks that later rules read.
_KEPT = frozenset("$£€¥₹¢°μΩ²³")
_SUPERSCRIPT = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_DIGIT_OF = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))


def read_characters(text: str) -> tuple[str, tuple[str, ...]]:
    """The text in ASCII and a few signs that the rules know, and the characters that were left out, in order."""
    kept: list[str] = []
    dropped: list[str] = []
    for char in _SUPERSCRIPT.sub(_superscript, text):
        reading = _read(char)
        if reading is None:
            # Something stood here: the words on both sides stay apart, unless it is an invisible joint.
            kept.append("" if unicodedata.category(char) in ("Cf", "Mn", "Me") else " ")
            dropped.append(char)
        else:
            kept.append(reading)
    return "".join(kept), tuple(dropped)


def _superscript(match: re.Match[str]) -> str:
    """Raised digits as a power ("10⁸" → "10^8"), so that they do not join the number before them."""
    return match[0] if match[0] in "²³" else "^" + "".join(_DIGIT_OF[char] for char in match[0])


def _read(char: str) -> str | None:
    if char in READ_AS:
        return READ_AS[char]
    if char == "\n" or char in _KEPT:
        return char
    if char.isspace():
        return " "
    if " " <= char <= "\x7e":
        return char
    return _ascii_letters(char)


def _ascii_letters(char: str) -> str | None:
    """The letters or digits under a character's accents or other dress ("é" → "e", full-width "A" → "A")."""
    decomposed = unicodedata.normalize("NFKD", char)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    if plain and plain.isascii() and plain.isalnum():
        return plain
    return "" if unicodedata.category(char) == "Mn" and "\u0300" <= char <= "\u036f" else None
