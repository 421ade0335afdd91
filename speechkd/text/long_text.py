"""Sentences that are longer than any that a model has heard: cut where a speaker would take breath."""

from __future__ import annotations

from collections.abc import Iterator

from speechkd.text.symbols import PAUSES_BY_STRENGTH, WORD_BOUNDARY
from speechkd.text.tokens import Tokens, Word, lay_out

#: About 25 seconds of speech. The longest utterances of reading corpora are of 10 to 20 seconds; and attention takes
#: time and memory by the square of the length.
MOST_TOKENS = 250
# More than the longest words have; letters without end, such as a picture written as text, come as several words.
_MOST_PHONES = 60
# A cut before this share of the room is used up leaves a scrap.
_EARLIEST = 0.5


def cut_long(tokens: Tokens, most: int = MOST_TOKENS, later: int | None = None) -> list[Tokens]:
    """The utterance itself, or pieces of it of at most `most` tokens, a longer word excepted.

    Pieces after the first may have `later` tokens, where it is given. Each piece ends at the strongest pause of its
    second half (of equal ones the last), so at a word boundary where there is no punctuation. The words of all pieces
    are those of the utterance; a cut ends its piece with a full stop, and the last piece ends as the utterance does.
    """
    if len(tokens) <= most:
        return [tokens]
    pauses = pauses_of(tokens)
    sizes = [len(word.phones) + 1 for word in tokens.words]
    pieces: list[Tokens] = []
    start = 0
    while start < len(sizes):
        end = _end(sizes, pauses, start, later if pieces and later else most)
        pieces.append(lay_out(tokens.words[start:end], pauses[start:end], open_end=end == len(sizes)))
        start = end
    return pieces


def cut_words(tokens: Tokens) -> Tokens:
    """The utterance with each word of more than 60 phones as several, so that `cut_long` can cut between them."""
    if all(len(word.phones) <= _MOST_PHONES for word in tokens.words):
        return tokens
    words: list[Word] = []
    pauses: list[str] = []
    for word, pause in zip(tokens.words, pauses_of(tokens), strict=True):
        parts = list(_parts(word))
        words += parts
        pauses += [WORD_BOUNDARY] * (len(parts) - 1) + [pause]
    return lay_out(words, pauses, open_end=True)


def _parts(word: Word) -> Iterator[Word]:
    """The word, or words of at most `_MOST_PHONES` phones with as much of its text each."""
    n = -(-len(word.phones) // _MOST_PHONES)
    if n == 1:
        yield word
        return
    for part in range(n):
        letters, phones = (
            slice(len(all_) * part // n, len(all_) * (part + 1) // n) for all_ in (word.text, word.phones)
        )
        yield Word(word.text[letters] or word.text[-1:], word.phones[phones], word.source)


def pauses_of(tokens: Tokens) -> list[str]:
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
