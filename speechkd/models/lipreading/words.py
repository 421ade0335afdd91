"""The word of a list that a spelling is nearest to, for corpora of single words."""

from __future__ import annotations

from collections.abc import Iterable


def edit_distance(one: str, other: str) -> int:
    """Fewest insertions, deletions and substitutions that turn one text into the other (Levenshtein, 1966)."""
    row = list(range(len(other) + 1))
    for i, character in enumerate(one, start=1):
        diagonal, row[0] = row[0], i
        for j, wanted in enumerate(other, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (character != wanted))
    return row[-1]


def nearest_word(text: str, vocabulary: Iterable[str]) -> str:
    """The word with the smallest edit distance to the text, the first of several. ValueError for no words."""
    return min(vocabulary, key=lambda word: edit_distance(text, word))
