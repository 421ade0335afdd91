"""The normaliser's table of cases: how many of each category are read as expected."""

from __future__ import annotations

from speechkd.errors import DataError
from speechkd.text.cases import ReadingCase, read_readings, same_reading


def score_normaliser() -> dict[str, dict[str, int]]:
    """Category -> cases and right ones."""
    scores: dict[str, dict[str, int]] = {}
    for case in read_readings():
        score = scores.setdefault(case.category, {"cases": 0, "right": 0})
        score["cases"] += 1
        score["right"] += _is_right(case)
    return scores


def _is_right(case: ReadingCase) -> bool:
    try:
        return same_reading(case.spoken, case.heard())
    except DataError:
        return False
