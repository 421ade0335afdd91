"""How a text is to be said: the same names and ranges in the command, in Python, over HTTP and in SSML."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from speechkd.errors import UsageError

# Seeds are whole numbers under this; torch refuses larger ones.
SEEDS = 2**63


@dataclass(frozen=True)
class Range:
    """What a control may be, and what it is unless given."""

    low: float
    high: float
    neutral: float
    unit: str


RANGES = {
    "speed": Range(0.25, 4.0, 1.0, "factor; 2 is twice as fast"),
    "pitch": Range(-12.0, 12.0, 0.0, "semitones up or down"),
    "energy": Range(0.25, 4.0, 1.0, "factor; 2 is said twice as forcefully"),
    "volume": Range(0.0, 4.0, 1.0, "factor; 2 is twice as loud, said no differently"),
    "pauses": Range(0.0, 4.0, 1.0, "factor of the silences between sentences and paragraphs"),
}


@dataclass(frozen=True)
class Controls:
    """How a whole text is to be said; see `RANGES` for the numbers.

    `seed`: the same one gives the same samples. `speaker`: one of the voice's, the first unless given. `steps`: of a
    voice that speaks by denoising; fewer are faster.
    """

    speed: float = 1.0
    pitch: float = 0.0
    energy: float = 1.0
    volume: float = 1.0
    pauses: float = 1.0
    seed: int = 0
    speaker: str | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        for name, range_ in RANGES.items():
            _check_in(name, getattr(self, name), range_)
        if not 0 <= self.seed < SEEDS:
            raise UsageError(f"seed is {self.seed}", todo=f"Choose a whole number from 0 to {SEEDS - 1}")

    def changed(self) -> list[str]:
        """The names of the numbers that are not neutral."""
        return [name for name, range_ in RANGES.items() if getattr(self, name) != range_.neutral]


CONTROL_NAMES = tuple(each.name for each in fields(Controls))


def _check_in(name: str, value: float, range_: Range) -> None:
    if not math.isfinite(value) or not range_.low <= value <= range_.high:
        raise UsageError(f"{name} is {value:g}", todo=f"Choose a value from {range_.low:g} to {range_.high:g}")
