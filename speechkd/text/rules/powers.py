"""Powers and scientific notation: 1e6, 3×10^8, 2^10, x²."""

from __future__ import annotations

from re import Match

from speechkd.text.rules.numbers import cardinal, decimal, ordinal
from speechkd.text.rules.rule import NumberRule, Rule, one_of
from speechkd.text.rules.units import UNITS


def _exponent(text: str) -> str:
    """The words for a power: "8" → "the eighth", "-19" → "the minus nineteen"."""
    number = text.lstrip("+-")
    return f"the minus {cardinal(number)}" if text.startswith("-") else f"the {ordinal(number)}"


def _scientific(match: Match[str]) -> str:
    return f"{decimal(match[1])} times ten to {_exponent(match[2])}{_unit(match[3])}"


def _times_power(match: Match[str]) -> str:
    return f" times ten to {_exponent(match[1])}{_unit(match[2])}"


def _unit(unit: str | None) -> str:
    return f" {UNITS[unit][1]}" if unit else ""


def _power(match: Match[str]) -> str:
    if match[2] in ("2", "3"):
        return f"{match[1]} {'squared' if match[2] == '2' else 'cubed'} "
    return f"{match[1]} to {_exponent(match[2])} "


_UNIT = rf"(?: ({one_of(UNITS)})(?![\w'/²³]))?"
_EXPONENT = r"([+-]?\d{1,3})"
POWER_RULES = (
    NumberRule("scientific", rf"(?<![\w.,])(\d{{1,9}}(?:\.\d{{1,15}})?)[eE]{_EXPONENT}(?!\w|\.\d){_UNIT}", _scientific),
    NumberRule("times a power of ten", rf"(?<=\d) ?(?:x|\*|times) ?10 ?\^ ?{_EXPONENT}(?!\d){_UNIT}", _times_power),
    NumberRule("power", rf"(?<![\d^])(\d{{1,15}}|(?<![A-Za-z])[A-Za-z]) ?\^ ?{_EXPONENT}(?!\d)", _power),
)
SQUARE_RULES = (
    Rule("squared", r"(?<=[\w)])\u00b2", " squared "),
    Rule("cubed", r"(?<=[\w)])\u00b3", " cubed "),
)
