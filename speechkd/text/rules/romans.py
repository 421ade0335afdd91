"""Roman numerals after names of rulers (Henry VIII) and after words that are counted (Chapter IV)."""

from __future__ import annotations

from re import Match

from speechkd.text.rules.numbers import cardinal, ordinal
from speechkd.text.rules.rule import Rule, one_of

RULERS = """Adrian Albert Alexander Alfonso Alphonse Benedict Boniface Carl Catherine Celestine Charles
Christian Clement Constantine Edward Elizabeth Francis Frederick George Gregory Gustav Gustavus
Harald Henry Innocent Ivan James Joao John Joseph Julius Juan Leo Leopold Louis Ludwig Margaret Mary
Max Maximilian Mehmed Napoleon Nicholas Olav Otto Paul Peter Philip Philippe Pius Ptolemy Rameses
Ramses Richard Robert Rudolf Selim Sixtus Stephen Suleiman Thomas Umberto Urban Victor Vittorio
Wilhelm William Xerxes Darius Cleopatra""".split()
COUNTED = """War Chapter Part Volume Book Act Scene Section Article Appendix Phase Stage Type Title Bowl Grade
Level Table Figure Episode Apollo Saturn Rocky Corps Division Group Symphony Olympiad""".split()
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
# 1 to 89 without repeated trial: tens, then ones.
_NUMERAL = r"(?=[IVXL])((?:XL|L?X{0,3})(?:IX|IV|V?I{0,3}))"
# "George I" is a king only where "I" cannot begin a clause.
_NOT_PRONOUN = r"(?!(?<=\bI) (?!of\b|was\b|and\b|died\b|ruled\b|in\b))"

# "John V. Smith" has an initial, not a number.
_NOT_INITIAL = r"(?!(?<=\b[IVXL])\. ?[A-Z])(?!'[a-z]{2})"


def roman_value(numeral: str) -> int:
    """The value of a Roman numeral of the letters I V X L C."""
    values = [_VALUES[letter] for letter in numeral]
    return sum(-a if a < b else a for a, b in zip(values, values[1:] + [0], strict=True))


def _ruler(match: Match[str]) -> str:
    return f"{match[1]} the {ordinal(str(roman_value(match[2])))}"


def _counted(match: Match[str]) -> str:
    return f"{match[1]} {cardinal(str(roman_value(match[2])))}"


def _nth(match: Match[str]) -> str:
    return ordinal(str(roman_value(match[1])))


ROMAN_RULES = (
    Rule("world war", r"\bWW(I{1,2})\b", lambda m: f"world war {cardinal(str(len(m[1])))}"),
    Rule(
        "of a row",
        r"\b(?=[IVX]{2})((?:X{0,3})(?:IX|IV|V?I{0,3})) (?=[Cc]entur(?:y|ies)\b|Olympi|Corps\b)",
        lambda m: _nth(m) + " ",
    ),
    Rule(
        "scene", r"\b(Act|Scene) (iv|v?i{1,3}|v)\b(?!')", lambda m: f"{m[1]} {cardinal(str(roman_value(m[2].upper())))}"
    ),
    Rule("ruler", rf"\b({one_of(RULERS)}) {_NUMERAL}(?![A-Za-z]){_NOT_PRONOUN}{_NOT_INITIAL}", _ruler),
    Rule("counted", rf"\b({one_of(COUNTED)}) {_NUMERAL}(?![A-Za-z])(?!'[a-z])", _counted),
    Rule("counted, small", rf"\b({one_of(COUNTED).lower()}) (?!I\b){_NUMERAL}(?![A-Za-z])(?!'[a-z])", _counted),
)
