"""Fitting aligned phones to the tokens of a text: every aligner and the durations go through here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechkd.align.types import Interval
from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text import Tokens


def without_stress(phone: str) -> str:
    """The ARPAbet phone without its stress digit: AH0 -> AH."""
    return phone.rstrip("012")


def token_phones(tokens: Tokens) -> list[tuple[str, int]]:
    """(phone, index of its word) of every token that is a phone, in order."""
    pairs = zip(tokens.symbols, tokens.word_index, strict=True)
    return [(symbol, word) for symbol, word in pairs if word >= 0]


def check_same_phones(found: list[str], expected: list[str], where: str | None = None) -> None:
    """Raise `DataError` at the first phone (stress apart) where an alignment and the text differ."""
    for position in range(max(len(found), len(expected))):
        pair = [sequence[position] if position < len(sequence) else None for sequence in (found, expected)]
        if pair[0] is None or pair[1] is None or without_stress(pair[0]) != without_stress(pair[1]):
            break
    else:
        return
    raise DataError(
        f"The alignment and the text differ at phone {position + 1}",
        where=where,
        why=f"aligned {_excerpt(found, position)}, the text has {_excerpt(expected, position)}",
        todo="Put the pronunciation that was aligned into the lexicon, or align with backend pocketsphinx.",
    )


def _excerpt(sequence: list[str], position: int) -> str:
    before = sequence[max(0, position - 3) : position]
    here = f"[{sequence[position]}]" if position < len(sequence) else "[end]"
    return " ".join([*before, here, *sequence[position + 1 : position + 3]])


def words_from_phones(phones: list[Interval], tokens: Tokens) -> tuple[Interval, ...]:
    """The words in time, each from the start of its first to the end of its last phone.

    `phones` are the spoken ones, one for each of `token_phones(tokens)`.
    """
    spans: dict[int, tuple[float, float]] = {}
    for interval, (_, word) in zip(phones, token_phones(tokens), strict=True):
        start_s = spans[word][0] if word in spans else interval.start_s
        spans[word] = (start_s, interval.end_s)
    return tuple(Interval(*spans[word], tokens.words[word].text) for word in sorted(spans))
