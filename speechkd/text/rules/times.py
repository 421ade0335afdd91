"""Times of day: 3:45 pm, 15:30, 7 a.m., 12:00."""

from __future__ import annotations

from re import Match

from speechkd.text.rules.numbers import cardinal
from speechkd.text.rules.rule import SPELL, NumberRule, kept_dot

# Time zones; any other capitals behind "p.m." begin a sentence.
_ZONE = r"(?: ?(?<=[ .mM])([ECMPA][SD]?T|GMT|UTC|BST|CES?T)\b)?"
_HALF = r"(?: ?([AaPp])\.?[Mm]\b(\.?))"


def _half_day(match: Match[str], half: int) -> str:
    """The half of the day, " AM" or " PM"; the dot of "p.m." stays when it also ends the sentence."""
    letter, dot, zone = match[half], match[half + 1], match[half + 2]
    if not letter:
        return ""
    if zone:
        return f" {SPELL}{letter.upper()}M {SPELL}{zone}"
    return f" {SPELL}{letter.upper()}M{kept_dot(match) if dot else ''}"


def _clock(match: Match[str]) -> str:
    hour, minute, second, half = match.groups()[:4]
    spoken = cardinal(str(int(hour)))
    if int(minute):
        spoken += f" oh {cardinal(minute[1])}" if minute[0] == "0" else f" {cardinal(minute)}"
    elif not half and not second and 1 <= int(hour) <= 12:
        spoken += " o'clock"
    elif not half:
        spoken += " hundred" if hour != "00" else " hundred hours"
    if second:
        spoken += f" and {cardinal(str(int(second)))} second{'' if int(second) == 1 else 's'}"
    return spoken + _half_day(match, 4)


def _hour(match: Match[str]) -> str:
    return cardinal(match[1]) + _half_day(match, 2)


def _noon(match: Match[str]) -> str:
    return f"twelve {match[1]}"


def _simple(hour: str, minute: str | None) -> str:
    """An hour with or without minutes: "9", "30" → "nine thirty"."""
    if not minute or not int(minute):
        return cardinal(hour)
    return f"{cardinal(hour)} {'oh ' + cardinal(minute[1]) if minute[0] == '0' else cardinal(minute)}"


def _hours(match: Match[str]) -> str:
    first_half = f" {SPELL}{match[3].upper()}M" if match[3] else ""
    return f"{_simple(match[1], match[2])}{first_half} to {_simple(match[4], match[5])}{_half_day(match, 6)}"


def _military(match: Match[str]) -> str:
    hour = f"oh {cardinal(match[1][1])}" if match[1][0] == "0" else cardinal(match[1])
    return f"{hour} {'hundred' if match[2] == '00' else cardinal(match[2])}"


def _duration(match: Match[str]) -> str:
    parts = zip(match.groups(), ("hour", "minute", "second"), strict=True)
    return " ".join(f"{cardinal(n)} {unit}{'' if int(n) == 1 else 's'}" for n, unit in parts if n)


_TIME = r"(1[0-2]|[1-9])(?::([0-5]\d))?"
TIME_RULES = (
    NumberRule("noon", r"(?<![\w.:])12:00 ?(noon|midnight)\b", _noon),
    NumberRule("o'clock", r"(?<![\w.:])(1[0-2]|[1-9]):00 o'clock\b", r"\1 o'clock"),
    NumberRule("military", r"(?<![\w.:])([01]\d|2[0-3])([0-5]\d)(?= hours\b)", _military),
    NumberRule(
        "duration",
        r"(?<![\w.:])(\d{1,3}) ?h(?:rs?)?\.? ?(\d{1,2}) ?m(?:ins?)?(?: ?(\d{1,2}) ?s(?:ecs?)?)?(?!\w)",
        _duration,
    ),
    NumberRule("hours", rf"(?<![\w.:,-]){_TIME}(?: ?([AaPp])\.?[Mm]\b\.?)? ?- ?{_TIME}{_HALF}{_ZONE}", _hours),
    NumberRule("clock", rf"(?<![\w.:])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:])(?:{_HALF}{_ZONE})?", _clock),
    NumberRule("ratio", r"(?<![\w.:])(\d{1,4}):(\d{1,4})(?![\d:])", r"\1 to \2"),
    NumberRule("hour", rf"(?<![\w.:,])(1[0-2]|[1-9]){_HALF}{_ZONE}", _hour),
)
