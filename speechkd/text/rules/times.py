"""Times of day: 3:45 pm, 15:30, 7 a.m., 12:00."""

from __future__ import annotations

from re import Match

from speechkd.text.rules.numbers import cardinal
from speechkd.text.rules.rule import SPELL, Rule, kept_dot

_HALF = r"(?: ?([AaPp])\.?[Mm]\b(\.?))"


def _half_day(match: Match[str], half: int) -> str:
    """The half of the day, " AM" or " PM"; the dot of "p.m." stays when it also ends the sentence."""
    letter, dot = match[half], half + 1
    if not letter:
        return ""
    return f" {SPELL}{letter.upper()}M{kept_dot(match) if match[dot] else ''}"


def _clock(match: Match[str]) -> str:
    hour, minute, second, half, _ = match.groups()
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


TIME_RULES = (
    Rule("clock", rf"(?<![\w.:])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:]){_HALF}?", _clock),
    Rule("ratio", r"(?<![\w.:])(\d{1,4}):(\d{1,4})(?![\d:])", r"\1 to \2"),
    Rule("hour", rf"(?<![\w.:,])(1[0-2]|[1-9]){_HALF}", _hour),
)
