"""The hard sentences: ten of each of five kinds that trip synthesisers up, written for this repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("hard_sentences.txt")


@dataclass(frozen=True)
class HardSentence:
    """A sentence, its id and its category."""

    id: str
    category: str
    text: str


def hard_sentences(per_category: int = 0) -> tuple[HardSentence, ...]:
    """All sentences in the order of the file, or the first few of each category."""
    found: list[HardSentence] = []
    category, number = "", 0
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            category, number = line[2:], 0
        elif line:
            number += 1
            if not per_category or number <= per_category:
                found.append(HardSentence(f"{category.replace(' ', '-')}-{number:02d}", category, line))
    return tuple(found)
