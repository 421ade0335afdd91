"""Numbers in words: cardinals, ordinals, decimals, fractions, years, ranges, digits one by one."""

from __future__ import annotations

import functools
import re
from re import Match

from speechkd.text.rules.rule import SPELL, NumberRule

# Above this many digits a number is read digit by digit.
MAX_DIGITS = 15
_FRACTIONS = {2: "half", 4: "quarter"}
_FRACTION_BOTTOMS = frozenset((*range(2, 17), 20, 25, 32, 50, 64, 100))
_DECADES = {"0": "hundreds", "1": "tens", "2": "twenties", "3": "thirties", "4": "forties", "5": "fifties",
            "6": "sixties", "7": "seventies", "8": "eighties", "9": "nineties"}  # fmt: skip
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@functools.lru_cache(maxsize=4096)
def _words(number: int, form: str) -> str:
    from num2words import num2words

    spoken: str = num2words(number, lang="en", to=form)
    return spoken.replace(",", "").replace(" and ", " ").replace("-", " ")


def digits(text: str) -> str:
    """The digits one by one; other characters are skipped."""
    return " ".join(_DIGITS[int(c)] for c in text if c.isdigit())


def cardinal(text: str) -> str:
    """A whole number with or without commas: "1,234" → "one thousand two hundred thirty four"."""
    plain = text.replace(",", "")
    if len(plain) > MAX_DIGITS or (len(plain) > 1 and plain[0] == "0"):
        return digits(plain)
    return _words(int(plain), "cardinal")


def ordinal(text: str) -> str:
    """The ordinal of a whole number: "21" → "twenty first"."""
    plain = text.replace(",", "")
    return _words(int(plain), "ordinal") if len(plain) <= MAX_DIGITS else digits(plain) + " th"


def year(text: str) -> str:
    """A year: "1984" → "nineteen eighty four", "2005" → "two thousand five"."""
    return _words(int(text), "year") if len(text) <= 4 else cardinal(text)


def pairs(text: str) -> str:
    """Three or four digits that name something: "101" → "one oh one", "1549" → "fifteen forty nine"."""
    if len(text) not in (3, 4) or text[0] == "0" or text.endswith("000"):
        return cardinal(text)
    start, end = cardinal(text[:-2]), text[-2:]
    if end == "00":
        return f"{start} hundred"
    return f"{start} oh {cardinal(end[1])}" if end[0] == "0" else f"{start} {cardinal(end)}"


def decimal(text: str) -> str:
    """A number that may have commas and a decimal part: "3.14" → "three point one four"."""
    whole, point, part = text.partition(".")
    spoken = cardinal(whole) if whole else "zero"
    return f"{spoken} point {digits(part)}" if point and part else spoken


def plural(words: str) -> str:
    """The plural of number words: "six" → "sixes", "twenty" → "twenties"."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith("x") else "s")


def is_one(text: str) -> bool:
    """Whether the number is exactly one, so that what is counted stays singular."""
    return text.replace(",", "") == "1"


def _is_year(text: str) -> bool:
    return len(text) == 4 and 1100 <= int(text) <= 2099


def plain_number(text: str) -> str:
    """A bare number as running text reads it: four digits from 1100 to 2099 as a year, else a decimal."""
    return year(text) if _is_year(text) else decimal(text)


def _fraction(match: Match[str]) -> str:
    whole, top, bottom = match.groups()
    if int(bottom) not in _FRACTION_BOTTOMS or (not whole and int(top) > 2 * int(bottom)):
        return f"{plain_number(whole) + ' ' if whole else ''}{cardinal(top)} over {cardinal(bottom)}"
    name = _FRACTIONS.get(int(bottom)) or ordinal(bottom)
    if int(top) != 1:
        name = "halves" if name == "half" else name + "s"
    if not whole:
        return f"{cardinal(top)} {name}"
    amount = ("a" if name != "eighth" else "an") if int(top) == 1 else cardinal(top)
    return f"{cardinal(whole)} and {amount} {name}"


def _decade(match: Match[str]) -> str:
    century, tens = match.groups()
    if not century:
        return _DECADES[tens]
    if century == "20" and tens == "0":
        return "two thousands"
    return f"{cardinal(century)} {_DECADES[tens]}"


def _range(match: Match[str]) -> str:
    return f"{plain_number(match[1])} to {plain_number(match[2])}"


def _groups(match: Match[str]) -> str:
    return ", ".join(digits(group) for group in re.findall(r"\d+", match[0]))


def _dotted(match: Match[str]) -> str:
    return " point ".join(cardinal(part) for part in match[0].split("."))


def _early_year(match: Match[str]) -> str:
    return f"{match[1]} {year(match[2])}"


def _signed(match: Match[str]) -> str:
    return ("minus " if match[1] == "-" else "plus ") + decimal(match[2])


_GROUPED = r"\d{1,3}(?:,\d{3}){1,6}"
_NUMBER = r"\d{1,3}(?:,\d{3}){1,6}(?:\.\d+)?|\d+(?:\.\d+)?"
DECADE_RULES = (NumberRule("decade", r"(?<![\w.,])'?(1[1-9]|20)?([0-9])0'?s\b", _decade),)
NUMBER_RULES = (
    NumberRule("groups of digits", r"(?<![\w.-])\d{1,15}(?:-\d{1,15}){2,}(?![\w-])", _groups),
    NumberRule("twenty four seven", r"(?<![\w./])24/7(?![\w/])", "twenty four seven"),
    NumberRule("fraction", r"(?<![\w./])(?:(\d{1,9})[ -] ?)?(\d{1,3})/(\d{1,3})(?![\w/])", _fraction),
    NumberRule(
        "ordinal", r"(?<![\w.])(\d{1,3}(?:,\d{3}){1,6}|\d+)(?:st|nd|rd|th|ST|ND|RD|TH)\b", lambda m: ordinal(m[1])
    ),
    NumberRule("dotted", r"(?<![\w.])\d{1,15}(?:\.\d{1,15}){2,}(?!\w)", _dotted),
    NumberRule("minus", r"(?<![\w.,-])(\d{1,15}(?:\.\d{1,9})?) ?- ?(?=\d{1,15}(?:\.\d{1,9})? ?=)", r"\1 minus "),
    NumberRule("large range", rf"(?<![\w.,-])({_GROUPED}) ?- ?({_GROUPED})(?![\w-])", _range),
    NumberRule("range", r"(?<![\w.,-])(\d{1,15}(?:\.\d{1,9})?) ?- ?(\d{1,15}(?:\.\d{1,9})?)(?![\w-])", _range),
    NumberRule("signed", rf"(?<![\w)-])([+-])({_NUMBER})(?!\w)", _signed),
    NumberRule("possessive", r"(?<=[A-Za-z])-?(\d{1,15})'s\b", lambda m: f" {plain_number(m[1])}'s "),
    NumberRule("plural number", r"(?<![\d.,])(\d{1,15})'?s\b", lambda m: f" {plural(plain_number(m[1]))} "),
    NumberRule("fold", r"(?<=\d)x(?![A-Za-z'])", " times"),
    NumberRule("letter and number", r"(?<![A-Za-z'])([A-Z]{1,2})-?(?=\d)", rf"{SPELL}\1 "),
    NumberRule("number and letter", r"(?<=\d)-?([A-Za-z])(?![A-Za-z'])", lambda m: f" {SPELL}{m[1].upper()} "),
    NumberRule("hyphen at a number", r"(?<=\d)-(?=[A-Za-z])|(?<=[A-Za-z])-(?=\d)", " "),
    NumberRule(
        "early year", r"\b([Ii]n|[Ss]ince|[Bb]y|[Uu]ntil|[Bb]efore|[Aa]fter) (1\d{3})(?![\w]|[.,-]\d)", _early_year
    ),
    NumberRule("year", r"(?<![\w.,])(?:1[1-9]|20)\d\d(?![\w]|[.,]\d)", lambda m: year(m[0])),
    NumberRule("grouped number", r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d])", lambda m: f" {decimal(m[0])} "),
    NumberRule("leading point", r"(?<![\w.])\.(\d+)", lambda m: f"point {digits(m[1])}"),
    NumberRule("number", r"\d+(?:\.\d+)?", lambda m: f" {decimal(m[0])} "),
)
