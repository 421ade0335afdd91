"""Dates: Nov. 23, 2026; 23 November 2026; 2026-11-23; 11/23/2026; March 3-5; months and weekdays with a dot."""

from __future__ import annotations

from collections.abc import Callable
from re import Match

from speechkd.text.rules.numbers import ordinal, year
from speechkd.text.rules.rule import NumberRule, Rule, kept_dot, one_of

MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
          "december")  # fmt: skip
_MONTH_OF = {name[:3].title(): name for name in MONTHS} | {"Sept": "september"} | {n.title(): n for n in MONTHS}
_MONTH = rf"({one_of(_MONTH_OF)})\b\.?"
_WEEKDAY_OF = {"Mon": "monday", "Tue": "tuesday", "Tues": "tuesday", "Wed": "wednesday", "Thu": "thursday",
               "Thur": "thursday", "Thurs": "thursday", "Fri": "friday", "Sat": "saturday",
               "Sun": "sunday"}  # fmt: skip
_WEEKDAY = one_of(_WEEKDAY_OF)
_DAY = r"(0?[1-9]|[12]\d|3[01])"
_YEAR = r"(\d{4})"
_OF_YEAR = rf"(?:,? {_YEAR}\b)?"
_TH = "(?:st|nd|rd|th)?"


def month_name(text: str) -> str | None:
    """The month of a name ("November", "nov.") or of a number from 1 to 12; None when there is none."""
    if text.isdecimal():
        return MONTHS[int(text) - 1] if len(text) <= 2 and 1 <= int(text) <= 12 else None
    return _MONTH_OF.get(text.rstrip(".").title())


def spoken_date(month: str, day: str, year_text: str | None) -> str:
    """A date with the month first: "november twenty third, twenty twenty six"."""
    date = f"{month} {ordinal(str(int(day)))}"
    return f"{date}, {year(year_text)}" if year_text else date


def spoken_day_first(month: str, day: str, year_text: str | None) -> str:
    """A date with the day first: "the twenty third of november, twenty twenty six"."""
    return f"the {_nth(day)} of {month}{_tail(year_text)}"


def _month_first(match: Match[str]) -> str:
    return spoken_date(_MONTH_OF[match[1]], match[2], match[3])


def _day_first(match: Match[str]) -> str:
    day, month, year_text = match.groups()
    return spoken_day_first(_MONTH_OF[month], day, year_text)


def _month_and_year(match: Match[str]) -> str:
    return f"{_MONTH_OF[match[1]]} {year(match[2])}"


def _weekdays(match: Match[str]) -> str:
    return f"{_WEEKDAY_OF[match[1]]} to {_WEEKDAY_OF[match[2]]}"


def _iso(match: Match[str]) -> str:
    return spoken_date(MONTHS[int(match[3]) - 1], match[4], match[1])


def _nth(day: str) -> str:
    return ordinal(str(int(day)))


def _tail(year_text: str | None) -> str:
    return f", {year(year_text)}" if year_text else ""


def _days(match: Match[str]) -> str:
    month, first, last, year_text = match.groups()
    return f"{_MONTH_OF[month]} {_nth(first)} to {_nth(last)}{_tail(year_text)}"


def _days_of_two_months(match: Match[str]) -> str:
    month, first, second_month, last, year_text = match.groups()
    return f"{_MONTH_OF[month]} {_nth(first)} to {_MONTH_OF[second_month]} {_nth(last)}{_tail(year_text)}"


def _days_first(match: Match[str]) -> str:
    first, last, month, year_text = match.groups()
    return f"the {_nth(first)} to the {_nth(last)} of {_MONTH_OF[month]}{_tail(year_text)}"


def _numeric(day_first: bool) -> Callable[[Match[str]], str]:
    """Read a/b/year: the order is certain when one of the two is above 12, else `day_first` decides."""

    def spoken(match: Match[str]) -> str:
        first, second = int(match[1]), int(match[3])
        if max(first, second) > 31 or min(first, second) > 12 or min(first, second) == 0:
            return match[0]
        day_leads = first > 12 or (day_first and second <= 12)
        day, month = (first, second) if day_leads else (second, first)
        return spoken_date(MONTHS[month - 1], str(day), full_year(match[4]))

    return spoken


def full_year(text: str) -> str:
    """The year of two digits that is meant: 24 is 2024, 76 is 1976."""
    return text if len(text) == 4 else ("20" if int(text) < 50 else "19") + text


def date_rules(day_first: bool) -> tuple[Rule, ...]:
    """The rules for dates; `day_first` says what 03/04/2026 is."""
    return (
        Rule("weekdays", rf"\b({_WEEKDAY})\.?(?:-| - )({_WEEKDAY})\b\.?", _weekdays),
        Rule("months", rf"\b{_MONTH}(?:-| - ){_MONTH}", lambda m: f"{_MONTH_OF[m[1]]} to {_MONTH_OF[m[2]]}"),
        NumberRule(
            "weekday",
            rf"\b({_WEEKDAY})(?:\.,?|,)(?= {_MONTH} ?\d| \d{{1,2}} {_MONTH})",
            lambda m: _WEEKDAY_OF[m[1]] + ",",
        ),
        NumberRule("days of two months", rf"\b{_MONTH} {_DAY} ?- ?{_MONTH} {_DAY}\b{_OF_YEAR}", _days_of_two_months),
        NumberRule("days of a month", rf"\b{_MONTH} {_DAY}{_TH} ?- ?{_DAY}{_TH}\b(?![-:.]\d){_OF_YEAR}", _days),
        NumberRule("days, month last", rf"(?<![\w.:-]){_DAY} ?- ?{_DAY} {_MONTH}{_OF_YEAR}", _days_first),
        NumberRule(
            "date, month first", rf"\b{_MONTH} {_DAY}(?:st|nd|rd|th)?\b(?!\.\d|:)(?:,? {_YEAR}\b)?", _month_first
        ),
        NumberRule(
            "date, day first", rf"\b(?:[Tt]he )?{_DAY}(?:st|nd|rd|th)?(?: of)? {_MONTH}(?:,? {_YEAR}\b)?", _day_first
        ),
        NumberRule("month and year", rf"\b{_MONTH},? {_YEAR}\b", _month_and_year),
        NumberRule("ISO date", r"(?<![\w/-])(\d{4})([/-])(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?![\w/-])", _iso),
        NumberRule("short numeric date", r"(?<![\w/.-])(\d{1,2})(/)(\d{1,2})/(\d\d)(?![\w/-])", _numeric(day_first)),
        NumberRule("numeric date", r"(?<![\w/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?![\w/-])", _numeric(day_first)),
        Rule("month alone", r"\b(Jan|Feb|Apr|Aug|Sept|Sep|Oct|Nov|Dec)\.", lambda m: _MONTH_OF[m[1]] + kept_dot(m)),
        Rule("weekday alone", r"\b(Mon|Tues|Tue|Wed|Thurs|Thur|Thu|Fri)\.", lambda m: _WEEKDAY_OF[m[1]] + kept_dot(m)),
    )
