"""Numbers that name something: rooms, flights, roads, telephones, versions, pension plans."""

from __future__ import annotations

import re
from re import Match

from speechkd.text.rules.numbers import cardinal, decimal, digits, pairs
from speechkd.text.rules.rule import SPELL, NumberRule, Rule, one_of

# Three digits behind these are said as one and two (one oh one), four as two and two.
_NAMED = "Room room Flight flight Route Highway Interstate Boeing Porsche Suite Apartment Bus bus".split()
_VERSIONED = "Python Java Ubuntu Windows Android version Version release Release Linux".split()
_EMERGENCY = "911 411 311 211 999 112 988 101".split()


def _phone_number(match: Match[str]) -> str:
    groups = re.findall(r"\d+", match[0])
    country = "plus " if match[0].startswith("+") else ""
    # A toll-free prefix behind the country's 1.
    toll_free = len(groups) == 4 and groups[1] in ("800", "900")
    said = [f"{digits(g[0])} hundred" if i == 1 and toll_free else digits(g) for i, g in enumerate(groups)]
    return country + ", ".join(said)


def _version(match: Match[str]) -> str:
    return f"{match[1]} {cardinal(match[2])} point {cardinal(match[3])}"


def _docket(match: Match[str]) -> str:
    return f"number {cardinal(match[1])} {pairs(match[2])}"


NAMED_NUMBER_RULES = (
    NumberRule("phone number", r"(?<![\w.-])(?:\+?1-)?(?:\(\d{3}\) ?|\d{3}-)?\d{3}-\d{4}(?![\w-])", _phone_number),
    NumberRule("phone number with country", r"(?<![\w.-])\+\d{1,3}(?:[ -]\(?\d{2,4}\)?){2,5}(?![\w-])", _phone_number),
    NumberRule("phone number with dots", r"(?<![\w.-])\d{3}\.\d{3}\.\d{4}(?![\w-]|\.\d)", _phone_number),
    NumberRule(
        "emergency",
        rf"\b((?:[Dd]ial|[Cc]all|[Pp]hone)(?:ed|s|ing|led|ling)?) ({one_of(_EMERGENCY)})\b(?![.,]?\d)",
        lambda m: f"{m[1]} {digits(m[2])}",
    ),
    NumberRule("emergency call", r"(?<![\w.$])911(?= (?:calls?|operators?|dispatch))", "nine one one"),
    NumberRule("named", rf"\b({one_of(_NAMED)}) (\d{{3,4}})(?![\w,]\d|\w|\.\d)", lambda m: f"{m[1]} {pairs(m[2])}"),
    NumberRule("letter and three digits", r"(?<![\w'-])([A-Z])-?(\d{3})(?![\w,.]\d|\w)",
         lambda m: f"{SPELL}{m[1]} {pairs(m[2])}"),
    NumberRule("docket", r"\b(?:[Nn]umber|[Nn]o\.) ?(\d{2})-(\d{3,4})(?![\w-])", _docket),
    NumberRule("version", rf"\b({one_of(_VERSIONED)}) (\d{{1,2}})\.([1-9]\d)(?![\w]|\.\d)", _version),
    NumberRule(
        "v for version",
        r"(?<![\w.])[vV]\.?(\d{1,3}(?:\.\d{1,4})?)(?!\w|\.\d)",
        lambda m: f"version {decimal(m[1])}",
    ),
    NumberRule("v for long version", r"(?<![\w.])[vV](?=\d{1,3}(?:\.\d{1,4}){2,})", "version "),
    Rule("sharp", r"\b([A-G])#(?!\w)", rf"{SPELL}\1 sharp"),
    NumberRule("pension plan", r"(?<![\w.,])(401|403)\(([a-z])\)",
         lambda m: f"{pairs(m[1])} {SPELL}{m[2].upper()}"),
    NumberRule("even", r"(?<![\w./,-])(50/50|20/20|50-50|60/40|80/20|9/11)(?![\w/-]|\.\d)",
         lambda m: " ".join(map(cardinal, re.split("[/-]", m[1])))),
    NumberRule("four K", r"(?<![\w.])([248])K(?= (?:TV|video|screen|display|monitor|resolution|camera|footage|movie))",
         rf"\1 {SPELL}K"),
)  # fmt: skip
