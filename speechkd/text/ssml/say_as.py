"""What `<say-as>` makes of its text: spoken English, in words in lower case and letters in UPPER case."""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Callable

from speechkd.text.normalise import normalise_english
from speechkd.text.rules.dates import full_year, month_name, spoken_date, spoken_day_first
from speechkd.text.rules.numbers import MAX_DIGITS, decimal, digits, ordinal, year
from speechkd.text.ssml.place import Place, shown

_SIGN_NAMES = {
    ".": "dot", ",": "comma", ":": "colon", ";": "semicolon", "!": "exclamation mark", "?": "question mark",
    "-": "dash", "_": "underscore", "/": "slash", "\\": "backslash", "|": "bar", "@": "at", "#": "hash", "&": "and",
    "*": "star", "+": "plus", "=": "equals", "%": "percent", "$": "dollar", "^": "caret", "~": "tilde",
    "'": "apostrophe", '"': "quote", "`": "backtick", "<": "less than", ">": "greater than", "(": "open parenthesis",
    ")": "close parenthesis", "[": "open bracket", "]": "close bracket", "{": "open brace", "}": "close brace",
}  # fmt: skip
_WHOLE = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+"
_CARDINAL = re.compile(rf"([+-]?)((?:{_WHOLE})(?:\.[0-9]+)?)")
_ORDINAL = re.compile(rf"({_WHOLE})(?:st|nd|rd|th)?", re.IGNORECASE)
_TIME = re.compile(r"([0-9]{1,2})(?::([0-5][0-9]))?(?::([0-5][0-9]))?(?:\s?([AaPp])\.?[Mm]\.?)?")
_PHONE_PART = re.compile(r"[0-9]+|[A-Za-z]+|[+*#]")
_PHONE = re.compile(r"[0-9A-Za-z+*#() ./-]{2,60}")
DATE_FORMATS = ("mdy", "dmy", "ymd", "ydm", "md", "dm", "ym", "my", "y", "m", "d")
TIME_FORMATS = ("hms12", "hms24")


def characters(text: str, form: str | None, place: Place) -> str:
    """Each letter, digit and sign by its name: "B-2" → "B dash two"."""
    return " ".join(_character(char, place) for char in text if not char.isspace())


def number(text: str, form: str | None, place: Place) -> str:
    """A cardinal number, with or without commas, a sign and decimals."""
    match = _CARDINAL.fullmatch(text.replace("−", "-"))
    if not match:
        raise place.error(f"{shown(text)} is no cardinal number", todo='Write it like "1,234", "-5" or "3.14"')
    return {"-": "minus ", "+": "plus ", "": ""}[match[1]] + decimal(match[2])


def nth(text: str, form: str | None, place: Place) -> str:
    """An ordinal number: "21" or "21st" → "twenty first"."""
    match = _ORDINAL.fullmatch(text)
    if not match or len(match[1]) > MAX_DIGITS:
        raise place.error(f"{shown(text)} is no ordinal number", todo='Write it like "3", "3rd" or "1,000th"')
    return ordinal(str(int(match[1].replace(",", ""))))


def date(text: str, form: str | None, place: Place) -> str:
    """A date whose parts come in the order of `form`: "mdy" and the others of `DATE_FORMATS`; "ymd" by default.

    American English, with the month first unless the day stands before it in `form`.
    """
    order = _date_order(form, place)
    parts = dict(zip(order, _date_parts(text, order, place), strict=True))
    month = month_name(parts["m"]) if "m" in parts else None
    if "m" in parts and month is None:
        raise place.error(f"the month {shown(parts['m'])} does not exist", todo=f"{shown(text)} is read as {order}")
    full = _year(parts["y"], text, place) if "y" in parts else None
    if day := parts.get("d"):
        _check_day(day, parts.get("m"), full, text, place)
        if month is None:
            return ordinal(str(int(day)))
        say = spoken_day_first if order.index("d") < order.index("m") else spoken_date
        return say(month, day, full)
    return " ".join(filter(None, (month, year(full) if full else None)))


def time(text: str, form: str | None, place: Place) -> str:
    """A time of day: "2:30 pm", "14:30", "14:30:05"."""
    if form is not None and form not in TIME_FORMATS:
        raise place.unknown("format of a time", form, TIME_FORMATS)
    match = _TIME.fullmatch(text)
    if not match or not (match[2] or match[4]):
        raise place.error(f"{shown(text)} is no time of day", todo='Write it like "2:30 pm" or "14:30:05"')
    hour, half = int(match[1]), match[4]
    low, high = (1, 12) if half or form == "hms12" else (0, 24)
    if not low <= hour <= high:
        raise place.error(f"{shown(text)} is no time of day", why=f"the hour goes from {low} to {high} here")
    # "00:00" is read as a time of the day of 24 hours.
    written = ":".join(filter(None, (str(hour or "00"), match[2] or "00", match[3])))
    return normalise_english(f"{written} {half}m" if half else written).text


def telephone(text: str, form: str | None, place: Place) -> str:
    """A telephone number: its digits one by one, with a pause between its groups; letters are spelled."""
    if not _PHONE.fullmatch(text) or not any(map(str.isdigit, text)):
        raise place.error(f"{shown(text)} is no telephone number", todo='Write it like "+1 (555) 123-4567"')
    groups = [" ".join(map(_phone_part, _PHONE_PART.findall(group))) for group in re.split(r"[() ./-]+", text)]
    return ", ".join(filter(None, groups)).replace("plus, ", "plus ")


KINDS: dict[str, Callable[[str, str | None, Place], str]] = {
    "characters": characters, "spell-out": characters, "cardinal": number, "ordinal": nth, "date": date, "time": time,
    "telephone": telephone,
}  # fmt: skip
WITH_FORMAT = ("date", "time")


def say_as(kind: str, text: str, form: str | None, place: Place) -> str:
    """The spoken text of an element; DataError for a kind, a format or a text that cannot be said so."""
    if kind not in KINDS:
        raise place.unknown("interpret-as", kind, KINDS)
    if form is not None and kind not in WITH_FORMAT:
        raise place.error(f"interpret-as {kind} has no format", todo=f"Those with one: {', '.join(WITH_FORMAT)}")
    plain = " ".join(text.split())
    if not plain:
        raise place.error("<say-as> has no text", todo="Put what is to be said inside it")
    return KINDS[kind](plain, form, place)


def _character(char: str, place: Place) -> str:
    if name := _SIGN_NAMES.get(char):
        return name
    base = unicodedata.normalize("NFKD", char)[0]
    if base.isascii() and base.isalpha():
        return base.upper()
    if base.isascii() and base.isdigit():
        return digits(base)
    raise place.error(f"{char!r} cannot be spelled", todo="Letters with or without accents, digits and ASCII signs can")


def _date_order(form: str | None, place: Place) -> str:
    """The order of the parts, "yyyy-mm-dd" as "ymd"."""
    letters = re.sub(r"[^a-z]", "", (form or "ymd").lower())
    order = re.sub(r"(.)\1+", r"\1", letters)
    if order not in DATE_FORMATS:
        raise place.unknown("format of a date", form or "", DATE_FORMATS)
    return order


def _date_parts(text: str, order: str, place: Place) -> list[str]:
    """The parts of a date between its separators, or of eight digits without any."""
    if re.fullmatch(r"[0-9]{8}", text) and len(order) == 3:
        at, parts = 0, []
        for part in order:
            size = 4 if part == "y" else 2
            parts.append(text[at : at + size])
            at += size
        return parts
    parts = re.split(r"[-/., ]+", text.strip("."))
    fits = len(parts) == len(order) and all(
        re.fullmatch(r"[0-9]{1,4}" if part == "y" else r"[0-9]{1,2}|[A-Za-z]{3,9}", word)
        for part, word in zip(order, parts, strict=True)
    )
    if not fits or any(part == "d" and not word.isdigit() for part, word in zip(order, parts, strict=True)):
        raise place.error(
            f"{shown(text)} is no date of the format {order}",
            todo=f"Write its parts in that order, or another format: {', '.join(DATE_FORMATS)}",
        )
    return parts


def _year(text: str, whole: str, place: Place) -> str:
    """The year in full; of two digits the likely century is taken."""
    if not int(text):
        raise place.error(f"the year of {shown(whole)} does not exist")
    return full_year(text) if len(text) == 2 else str(int(text))


def _check_day(day: str, month: str | None, full: str | None, whole: str, place: Place) -> None:
    name = month_name(month) if month else None
    number_of_month = _MONTH_NUMBER[name] if name else 1
    # Without a year, February may have 29 days.
    most = calendar.monthrange(int(full or 2000), number_of_month)[1]
    if not 1 <= int(day) <= most:
        raise place.error(f"the day of {shown(whole)} does not exist", why=f"days go from 1 to {most} here")


_MONTH_NUMBER = {name.lower(): n for n, name in enumerate(calendar.month_name) if n}


def _phone_part(part: str) -> str:
    if part in ("x", "X", "ext"):
        return "extension"
    if part.isdigit():
        return digits(part)
    return " ".join(part.upper()) if part.isalpha() else {"+": "plus", "*": "star", "#": "pound"}[part]
