"""Words that were left out and words that were said again, as listeners count them in robustness tests."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WordErrors:
    """Places in the text whose word was skipped; how many words were said again; and how many that are not in it."""

    skipped: tuple[int, ...]
    repeats: int
    foreign: int

    @property
    def any(self) -> bool:
        """Whether a listener would call the sentence wrong."""
        return bool(self.skipped or self.repeats or self.foreign)


def word_errors(text: Sequence[Hashable], heard: Sequence[Hashable]) -> WordErrors:
    """What stands in the way between a text and what was heard of it, words or any other names of words.

    The longest sequence that both have in common counts as said: words of the text outside of it were skipped, heard
    words outside of it are repeats if the text has them anywhere, else foreign. A wrong word is thus a skip and a
    foreign word.
    """
    kept, said = _common(text, heard)
    rest = [word for place, word in enumerate(heard) if place not in said]
    known = set(text)
    repeats = sum(word in known for word in rest)
    skipped = tuple(place for place in range(len(text)) if place not in kept)
    return WordErrors(skipped, repeats, len(rest) - repeats)


def _common(first: Sequence[Hashable], second: Sequence[Hashable]) -> tuple[set[int], set[int]]:
    """The places, in each, of a longest common subsequence."""
    n, m = len(first), len(second)
    longest = [[0] * (m + 1) for _ in range(n + 1)]  # of the rest from (i, j)
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            same = longest[i + 1][j + 1] + 1 if first[i] == second[j] else 0
            longest[i][j] = max(same, longest[i + 1][j], longest[i][j + 1])
    kept: set[int] = set()
    said: set[int] = set()
    i = j = 0
    while i < n and j < m:
        if first[i] == second[j] and longest[i][j] == longest[i + 1][j + 1] + 1:
            kept.add(i)
            said.add(j)
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1
    return kept, said
