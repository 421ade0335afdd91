"""Sentences that are longer than any that a model has heard: cut where a speaker would take breath."""

from __future__ import annotations

from speechkd.text.symbols import PAUSES_BY_STRENGTH
from speechkd.text.tokens import Tokens, lay_out

#: About 25 seconds of speech. The longest utterances of reading corpora are of 10 to 20 seconds; and attention takes
#: time and memory by the square of the length.
MOST_TOKENS = 250
# A cut before this share of the room is used up leaves a scrap.
_EARLIEST = 0.5


def cut_long(tokens: Tokens, most: int = MOST_TOKENS, later: int | None = None) -> list[Tokens]:
    """The utterance itself, or pieces of it of at most `most` tokens (all but the first: `later`); a word stays whole.

    Each piece ends at the strongest pause of its second half (of equal ones the last), so at a word boundary where
    there is no punctuation. The words of all pieces are those of the utterance; a cut ends its piece with a full stop.
    """
    if len(tokens) <= most:
        return [tokens]
    pauses = _pauses(tokens)
    sizes = [len(word.phones) + 1 for word in tokens.words]
    pieces: list[Tokens] = []
    start = 0
    while start < len(sizes):
        end = _end(sizes, pauses, start, most if not start or later is None else later)
        pieces.append(lay_out(tokens.words[start:end], pauses[start:end]))
        start = end
    return pieces


def _pauses(tokens: Tokens) -> list[str]:
    """The pause behind each word: the first symbol without a word that follows it."""
    behind = zip(tokens.symbols[1:], tokens.word_index, tokens.word_index[1:], strict=False)
    return [symbol for symbol, before, word in behind if before >= 0 > word]


def _end(sizes: list[int], pauses: list[str], start: int, most: int) -> int:
    """Where the piece that begins with word `start` ends: the number of the word behind it."""
    room, fits, early = most - 1, start, start
    used = 0
    while fits < len(sizes) and used + sizes[fits] <= room:
        used += sizes[fits]
        fits += 1
        if used < room * _EARLIEST:
            early = fits
    if fits == len(sizes):
        return fits
    if fits == start:
        return start + 1
    return 1 + max(range(min(early, fits - 1), fits), key=lambda word: (PAUSES_BY_STRENGTH.index(pauses[word]), word))
