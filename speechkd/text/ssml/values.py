"""Values of attributes: rates, pitches, volumes and times as people write them, to factors, semitones and seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from speechkd.text.line import Prosody
from speechkd.text.ssml.place import Place, shown

RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.5, "x-fast": 2.0}
PITCHES = {"x-low": -4.0, "low": -2.0, "medium": 0.0, "default": 0.0, "high": 2.0, "x-high": 4.0}
VOLUMES = {"silent": 0.0, "x-soft": 0.25, "soft": 0.5, "medium": 1.0, "default": 1.0, "loud": 1.5, "x-loud": 2.0}
EMPHASIS = {
    "strong": Prosody(0.85, 2.0, 1.4), "moderate": Prosody(0.9, 1.0, 1.2), "none": Prosody(),
    "reduced": Prosody(1.15, -1.0, 0.8),
}  # fmt: skip
# Seconds.
STRENGTHS = {"none": 0.0, "x-weak": 0.05, "weak": 0.1, "medium": 0.25, "strong": 0.5, "x-strong": 1.0}
RANGES = {"rate": (0.25, 4.0), "pitch": (-12.0, 12.0), "volume": (0.0, 4.0)}
LONGEST_BREAK_S = 10.0

_NUMBER = r"[0-9]{1,6}(?:\.[0-9]{0,6})?|\.[0-9]{1,6}"
_VALUE = re.compile(rf"([+-]?)({_NUMBER})\s?(%|st|dB|ms|s|)")


@dataclass(frozen=True)
class _Value:
    """A number as it is written, with its sign ("", "+" or "-") and its unit ("" for none)."""

    sign: str
    number: float
    unit: str

    @property
    def signed(self) -> float:
        return -self.number if self.sign == "-" else self.number

    @property
    def factor(self) -> float:
        """The factor of a percentage or a plain number: "80%", "0.8" and "-20%" → 0.8, "+20%" → 1.2."""
        share = self.signed / 100 if self.unit == "%" else self.signed
        return 1 + share if self.sign else share


def rate(text: str, place: Place, name: str = "rate") -> float:
    """A factor of the speed: "slow", "80%", "+20%", "1.5"."""
    value = _read(text, RATES, ("%", ""), place, name, 'Write "slow", "80%", "+20%" or a factor such as "1.5"')
    if isinstance(value, float):
        return value
    if value.sign and not value.unit:
        raise place.error(f"{name} is {shown(text)}", todo='Write a percentage "+20%" or a factor "1.2" without a sign')
    return _within(value.factor, "rate", text, place, name)


def pitch(text: str, place: Place) -> float:
    """Semitones: "high", "+2st", "-10%"."""
    todo = 'Write "high", semitones "+2st" or a change "-10%"'
    value = _read(text, PITCHES, ("%", "st"), place, "pitch", todo)
    if isinstance(value, float):
        return value
    if value.unit == "st":
        return _within(value.signed, "pitch", text, place)
    if not value.sign:
        raise place.error(f"pitch is {shown(text)}", why="a percentage without a sign may mean two things", todo=todo)
    return _within(12 * math.log2(value.factor) if value.factor > 0 else -math.inf, "pitch", text, place)


def volume(text: str, place: Place) -> float:
    """A factor of the loudness: "soft", "+6dB", "50%", "-20%"."""
    todo = 'Write "loud", "+6dB", "50%" or "-20%"'
    value = _read(text, VOLUMES, ("%", "dB"), place, "volume", todo)
    if isinstance(value, float):
        return value
    # Far above the range 10 to that power would not be a number.
    factor = 10 ** (min(value.signed, 1000.0) / 20) if value.unit == "dB" else value.factor
    return _within(factor, "volume", text, place)


def seconds(text: str, place: Place) -> float:
    """A time: "500ms", "1.5s"."""
    value = _VALUE.fullmatch(text.strip())
    if not value or value[1] == "-" or value[3] not in ("ms", "s"):
        raise place.error(f"time is {shown(text)}", todo='Write milliseconds "500ms" or seconds "1.5s"')
    time_s = float(value[2]) / (1000 if value[3] == "ms" else 1)
    if time_s > LONGEST_BREAK_S:
        raise place.error(f"time is {shown(text)}", todo=f"Choose a time from 0 to {LONGEST_BREAK_S:g} s")
    return time_s


def checked(prosody: Prosody, place: Place) -> Prosody:
    """The prosody of an element inside others; DataError when they add up to something beyond the ranges."""
    for name, (low, high) in RANGES.items():
        value = getattr(prosody, name)
        # Factors that multiply to a limit may miss it by a rounding.
        if not low - 1e-9 <= value <= high + 1e-9:
            raise place.error(
                f"{name} comes to {value:.4g} here",
                why="elements inside each other add up",
                todo=f"Stay from {low:g} to {high:g}",
            )
    return prosody


def _read(
    text: str, names: Mapping[str, float], units: tuple[str, ...], place: Place, attribute: str, todo: str
) -> float | _Value:
    """The value of a name, or a number with one of the units."""
    plain = text.strip()
    if plain in names:
        return names[plain]
    match = _VALUE.fullmatch(plain)
    if match and match[3] in units:
        return _Value(match[1], float(match[2]), match[3])
    if plain[:1].isalpha():
        raise place.unknown(attribute, plain, names)
    raise place.error(f"{attribute} is {shown(text)}", todo=todo)


def _within(value: float, kind: str, text: str, place: Place, name: str | None = None) -> float:
    low, high = RANGES[kind]
    if low - 1e-9 <= value <= high + 1e-9:
        return min(max(value, low), high)
    unit = {"rate": "factor", "pitch": "semitones", "volume": "factor"}[kind]
    raise place.error(
        f"{name or kind} is {shown(text)}",
        why=f"that is {value:.4g} as a {unit}" if unit == "factor" else f"that is {value:.4g} {unit}",
        todo=f"Choose a value from {low:g} to {high:g}",
    )
