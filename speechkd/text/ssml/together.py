"""Where the parts of a sentence are among its words, when it is read as a whole.

"May 5, 2020" has four words whether or not an element surrounds the 5; read apart, the 5 would be "five". So a sentence
is read together, and its parts are read apart only to count their words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

# How far the two readings may run apart before they are taken to be different word by word.
_REACH = 8
# So many equal words in a row are no coincidence.
_SURE = 2


@dataclass(frozen=True)
class Alignment:
    """`apart_of[j]`: the word of the parts that word j of the whole is. `together_of[i]`: the place in the whole of
    word i of the parts; one more than there are words, the last for the end.
    """

    apart_of: tuple[int, ...]
    together_of: tuple[int, ...]


def align_words(apart: Sequence[str], together: Sequence[str]) -> Alignment:
    """Lay the words of the parts and those of the whole side by side, in time that grows linearly with their number.

    Words that are not the same share out the place between their equal neighbours.
    """
    apart_of: list[int] = []
    together_of: list[int] = []
    i = j = 0
    while i < len(apart) or j < len(together):
        for n_apart, n_together in _steps(apart[i : i + _REACH + _SURE], together[j : j + _REACH + _SURE]):
            together_of += [j + k * n_together // n_apart for k in range(n_apart)]
            halves = ((2 * k + 1) * n_apart // (2 * n_together) for k in range(n_together))
            apart_of += [min(i + half, len(apart) - 1) for half in halves]
            i, j = i + n_apart, j + n_together
    return Alignment(tuple(apart_of), (*together_of, len(together)))


def _steps(apart: Sequence[str], together: Sequence[str]) -> list[tuple[int, int]]:
    """How many words of each go together next, up to where the two readings are the same again."""
    n_apart, n_together = _same_again(apart, together)
    if n_apart == n_together == 1:
        return [(1, 1)]
    # The few words in which they differ may have equal ones among them.
    matcher = SequenceMatcher(None, apart[:n_apart], together[:n_together], autojunk=False)
    steps: list[tuple[int, int]] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        steps += [(1, 1)] * (b - a) if kind == "equal" else [(b - a, d - c)]
    return steps


def _same_again(apart: Sequence[str], together: Sequence[str]) -> tuple[int, int]:
    """How many words of each go together before the readings are the same again: (1, 1) when they are now."""
    if apart[:1] == together[:1]:
        return 1, 1
    for total in range(1, 2 * _REACH + 1):
        for n_apart in range(max(0, total - _REACH), min(total, _REACH) + 1):
            n_together = total - n_apart
            if n_apart > len(apart) or n_together > len(together):
                continue
            if apart[n_apart : n_apart + _SURE] == together[n_together : n_together + _SURE]:
                return n_apart, n_together
    return min(len(apart), _REACH), min(len(together), _REACH)
