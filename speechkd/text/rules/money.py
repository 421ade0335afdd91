"""Amounts of money: $3.50, £5, €2 million, 50¢."""

from __future__ import annotations

from re import Match

from speechkd.text.rules.numbers import cardinal, decimal, is_one
from speechkd.text.rules.rule import BEFORE_NOUN, BEHIND_ARTICLE, SPELL, NumberRule, one_of

# sign: unit, units, hundredth, hundredths
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
SCALES = {"k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "bn": "billion",
          "B": "billion", "b": "billion", "T": "trillion", "tn": "trillion", "thousand": "thousand",
          "million": "million", "billion": "billion", "trillion": "trillion"}  # fmt: skip
_PREFIXES = {"US": f"{SPELL}US ", "A": "australian ", "C": "canadian ", "": ""}
# code: unit, units
CODES = {
    "USD": (f"{SPELL}US dollar", f"{SPELL}US dollars"), "EUR": ("euro", "euros"), "GBP": ("pound", "pounds"),
    "JPY": ("yen", "yen"), "CAD": ("canadian dollar", "canadian dollars"), "INR": ("rupee", "rupees"),
    "AUD": ("australian dollar", "australian dollars"), "CHF": ("swiss franc", "swiss francs"),
    "CNY": ("yuan", "yuan"), "RUB": ("ruble", "rubles"), "MXN": ("mexican peso", "mexican pesos"),
}  # fmt: skip

_AMOUNT = r"(\d{1,3}(?:,\d{3}){1,6}(?:\.\d+)?|\d+(?:\.\d+)?)"
_SCALE = rf"(?: ?({one_of(SCALES)})(?!\w))?"


def amount_in_words(sign: str, amount: str, scale: str | None, kind: str = "") -> str:
    """An amount: ("$", "3.50", None) → "three dollars and fifty cents"; ("€", "2", "million") → "two million euros".

    `kind` goes before the unit: "canadian " dollars.
    """
    unit, units, hundredth, hundredths = CURRENCIES[sign]
    unit, units = kind + unit, kind + units
    if scale:
        return f"{decimal(amount)} {SCALES[scale]} {units}"
    whole, _, part = amount.partition(".")
    if len(part) != 2 or not hundredth:
        return f"{decimal(amount)} {unit if is_one(amount) else units}"
    small = f"{cardinal(str(int(part)))} {hundredth if part == '01' else hundredths}"
    large = f"{cardinal(whole)} {unit if is_one(whole) else units}"
    if int(part) == 0:
        return large
    return small if not whole.strip("0") else f"{large} and {small}"


def _sign_first(match: Match[str]) -> str:
    minus, prefix, sign, amount, scale = match.groups()
    return f" {'minus ' if minus else ''}{amount_in_words(sign, amount, scale, _PREFIXES[prefix or ''])} "


def _before_noun(match: Match[str]) -> str:
    article, sign, amount, scale = match.groups()
    number = f"{decimal(amount)} {SCALES[scale]}" if scale else decimal(amount)
    return f"{article} {number} {CURRENCIES[sign][0]}"


def _per_unit(match: Match[str]) -> str:
    return f"{decimal(match[2])} {CURRENCIES[match[1]][0]} {match[3]} {match[4]}"


def _code_last(match: Match[str]) -> str:
    amount, scale, code = match.groups()
    number = f"{decimal(amount)} {SCALES[scale]}" if scale else decimal(amount)
    return f"{number} {CODES[code][0 if is_one(amount) and not scale else 1]}"


def _code_first(match: Match[str]) -> str:
    code, amount, scale = match.groups()
    number = f"{decimal(amount)} {SCALES[scale]}" if scale else decimal(amount)
    return f"{number} {CODES[code][0 if is_one(amount) and not scale else 1]}"


def _sign_first_range(match: Match[str]) -> str:
    sign, low, high, scale = match.groups()
    return f" {decimal(low)} to {amount_in_words(sign, high, scale)} "


def _sign_last(match: Match[str]) -> str:
    return f" {amount_in_words(match[2], match[1], None)} "


def _cents(match: Match[str]) -> str:
    return f"{cardinal(match[1])} {'cent' if is_one(match[1]) else 'cents'}"


_SIGN = "([$£€¥₹])"
_CODE = rf"({one_of(CODES)})"
MONEY_RULES = (
    NumberRule(
        "money range", rf"{_SIGN}{_AMOUNT} ?- ?(?:(?<=[ -])[$£€¥₹])?{_AMOUNT}{_SCALE}(?!\d|\.\d)", _sign_first_range
    ),
    NumberRule("money code last", rf"(?<![\w.,$£€¥₹]){_AMOUNT}{_SCALE} ?{_CODE}\b", _code_last),
    NumberRule("money code first", rf"\b{_CODE} ?{_AMOUNT}{_SCALE}", _code_first),
    NumberRule("money a day", rf"{_SIGN}{_AMOUNT}-(an?)-([a-z]+)", _per_unit),
    NumberRule(
        "money before a noun", rf"{BEHIND_ARTICLE}{_SIGN}{_AMOUNT}{_SCALE}(?!\.\d|,\d|\d){BEFORE_NOUN}", _before_noun
    ),
    NumberRule("money", rf"((?<!\w)-)?(?:\b(US|A|C))?{_SIGN} ?{_AMOUNT}{_SCALE}", _sign_first),
    NumberRule("money, sign last", rf"(?<![\w.]){_AMOUNT} ?([£€¥₹])", _sign_last),
    NumberRule("cents", r"(?<![\w.])(\d{1,9}) ?¢", _cents),
)
