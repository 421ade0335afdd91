"""Skips and repeats against jiwer, and against all common subsequences."""

from __future__ import annotations

from itertools import combinations

import jiwer
import numpy as np

from speechkd.metrics.word_errors import word_errors


def test_jiwer_counts_the_same_deletions_and_insertions() -> None:
    """Where no word is wrong, jiwer's alignment has nothing to choose."""
    draw = np.random.default_rng(0)
    words = [f"w{i}" for i in range(12)]
    for _ in range(50):
        heard: list[str] = []
        for word in words:
            heard += [word] * int(draw.choice([0, 1, 2], p=[0.1, 0.8, 0.1]))
        if not heard:
            continue
        found, expected = word_errors(words, heard), jiwer.process_words(" ".join(words), " ".join(heard))
        if expected.substitutions:
            continue
        assert (len(found.skipped), found.repeats, found.foreign) == (expected.deletions, expected.insertions, 0)


def longest_common(a: list[int], b: list[int]) -> int:
    for n in range(min(len(a), len(b)), -1, -1):
        if {tuple(c) for c in combinations(a, n)} & {tuple(c) for c in combinations(b, n)}:
            return n
    return 0


def test_as_much_as_can_be_counts_as_said() -> None:
    draw = np.random.default_rng(1)
    for _ in range(40):
        text, heard = ([int(each) for each in draw.integers(0, 4, draw.integers(0, 7))] for _ in range(2))
        found, common = word_errors(text, heard), longest_common(text, heard)
        assert len(found.skipped) == len(text) - common
        assert found.repeats + found.foreign == len(heard) - common


def test_by_hand() -> None:
    said = word_errors("no no no stop".split(), "no no stop".split())
    assert (len(said.skipped), said.repeats, said.foreign) == (1, 0, 0)
    again = word_errors("go to the mill".split(), "go to the to the mill".split())
    assert (again.skipped, again.repeats, again.foreign) == ((), 2, 0)
    wrong = word_errors("a red cat".split(), "a dead cat".split())
    assert (wrong.skipped, wrong.repeats, wrong.foreign) == ((1,), 0, 1)
    assert wrong.any and not word_errors("a b".split(), "a b".split()).any
    assert word_errors([0, 1, 2], []).skipped == (0, 1, 2)
