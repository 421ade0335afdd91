"""How far spoken phones are from the listed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Phones = tuple[str, ...]


@dataclass
class ErrorCount:
    """Errors over words. A word is right if it equals one of its listed pronunciations; its phone errors are the edit
    distance to the nearest of them, and that one's phones are counted as the whole.
    """

    stress: bool
    words: int = 0
    wrong_words: int = 0
    phones: int = 0
    wrong_phones: int = 0

    def add(self, said: Phones, listed: Sequence[Phones]) -> None:
        """Count one word."""
        said, listed = self._form(said), [self._form(each) for each in listed]
        distances = [(distance(said, each), -len(each)) for each in listed]
        errors, negative_length = min(distances)
        self.words += 1
        self.wrong_words += errors > 0
        self.phones -= negative_length
        self.wrong_phones += errors

    def _form(self, phones: Phones) -> Phones:
        return phones if self.stress else tuple(phone.rstrip("012") for phone in phones)

    @property
    def word_error(self) -> float:
        """Share of words that are not right."""
        return self.wrong_words / max(1, self.words)

    @property
    def phone_error(self) -> float:
        """Insertions, deletions and substitutions per listed phone."""
        return self.wrong_phones / max(1, self.phones)


def distance(a: Sequence[str], b: Sequence[str]) -> int:
    """The edit distance (Levenshtein): the fewest insertions, deletions and substitutions."""
    row = list(range(len(b) + 1))
    for x in a:
        diagonal, row[0] = row[0], row[0] + 1
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]
