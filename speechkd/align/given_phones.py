"""The pronunciation that a TextGrid found becomes the utterance's own: phones with stress, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from speechkd.align.given_words import match_words
from speechkd.align.matching import without_stress
from speechkd.align.types import SAME_INSTANT_S, SILENCE, Alignment, Interval
from speechkd.errors import DataError
from speechkd.text.symbols import VOWELS, is_phone

if TYPE_CHECKING:
    from speechkd.text import Tokens
    from speechkd.text.tokens import Word

#: A pause inside a word of the text ("twenty - five") up to this long is held by the phone before it: tokens of one
#: word have no place for a pause. A longer one says that the alignment is wrong.
_LONGEST_INNER_SILENCE_S = 0.2

_VOWELS = frozenset(VOWELS)


def adopt_phones(given: Alignment, tokens: Tokens, where: str) -> Alignment:
    """`given` with the words of `tokens` and every vowel with a stress digit.

    Stress is the TextGrid's own, else that of a listed pronunciation with the same phones, else that of the text's
    vowels when there are as many, else 0. Raises `DataError` when the words differ, or for a phone that no word holds
    or that the text's symbols lack. `note` tells of pauses inside words.
    """
    groups = match_words(given, tokens.words, where)
    phones = [_as_symbol(phone, where) for phone in given.phones]
    labels: list[Interval] = []
    words: list[Interval] = []
    notes: list[str] = []
    at = first = second = 0
    for heard, written in groups:
        span = given.words[first : first + heard]
        text = tokens.words[second : second + written]
        at, before = _silence_before(phones, at, span[0], where)
        stop = _end_of(phones, at, span[-1])
        spoken = _spoken(phones[at:stop], text, notes, where)
        labels += before
        for word, part in zip(text, _parts(spoken, text, where), strict=True):
            said = _with_stress(word, part)
            labels += said
            words.append(Interval(said[0].start_s, said[-1].end_s, word.text))
        at, first, second = stop, first + heard, second + written
    rest = phones[at:]
    _refuse_spoken(rest, where)
    return Alignment(tuple(words), (*labels, *rest), given.duration_s, "; ".join(notes))


def _as_symbol(phone: Interval, where: str) -> Interval:
    if phone.label == SILENCE or is_phone(phone.label) or phone.label in _VOWELS:
        return phone
    raise DataError(
        f"Unknown phone {phone.label!r} at {phone.start_s:.3f} s",
        where=where,
        why="the text's phones are the CMU dictionary's (ARPAbet)",
        todo="Align with an ARPAbet model, such as english_us_arpa.",
    )


def _silence_before(phones: list[Interval], at: int, word: Interval, where: str) -> tuple[int, list[Interval]]:
    """The place of the word's first phone, and the silences that come before it."""
    stop = at
    while stop < len(phones) and (phones[stop].label == SILENCE or phones[stop].end_s <= word.start_s + SAME_INSTANT_S):
        stop += 1
    _refuse_spoken(phones[at:stop], where)
    return stop, phones[at:stop]


def _refuse_spoken(phones: Sequence[Interval], where: str) -> None:
    for phone in phones:
        if phone.label != SILENCE:
            raise DataError(f"Phone {phone.label} at {phone.start_s:.3f} s belongs to no word", where=where)


def _end_of(phones: list[Interval], at: int, word: Interval) -> int:
    """The place after the last spoken phone whose middle lies before the end of `word`."""
    stop = at
    for place in range(at, len(phones)):
        if (phones[place].start_s + phones[place].end_s) / 2 > word.end_s:
            break
        if phones[place].label != SILENCE:
            stop = place + 1
    return stop


def _spoken(phones: Sequence[Interval], text: Sequence[Word], notes: list[str], where: str) -> list[Interval]:
    """The phones of a group of words; a silence between them is given to the phone before it."""
    spoken: list[Interval] = []
    for phone in phones:
        if phone.label != SILENCE:
            spoken.append(phone)
            continue
        name = " ".join(word.text for word in text)
        pause = f"{phone.duration_s:.3f} s of silence inside {name!r} at {phone.start_s:.3f} s"
        if phone.duration_s > _LONGEST_INNER_SILENCE_S:
            raise DataError("Silence inside a word", where=where, why=pause, todo="Correct the TextGrid or the text.")
        spoken[-1] = Interval(spoken[-1].start_s, phone.end_s, spoken[-1].label)
        notes.append(f"{pause} went to {spoken[-1].label}")
    return spoken


def _parts(spoken: list[Interval], text: Sequence[Word], where: str) -> list[list[Interval]]:
    """The phones of each word of `text`, cut where they fit its listed pronunciations with the fewest changes."""
    if len(spoken) < len(text):
        name = " ".join(word.text for word in text)
        raise DataError(f"{len(spoken)} phones are too few for {name!r}", where=where, todo="Align it again.")
    if len(text) == 1:
        return [spoken]
    found = [without_stress(phone.label) for phone in spoken]
    # cost[k][i]: fewest changes that make the first i phones the first k words; every word gets at least one phone.
    infinite = float("inf")
    cost = [[0.0, *[infinite] * len(found)]]
    cuts: list[list[int]] = []
    for word in text:
        row, cut = [infinite] * (len(found) + 1), [0] * (len(found) + 1)
        for stop in range(1, len(found) + 1):
            for start in range(stop):
                changes = cost[-1][start] + _changes(found[start:stop], word)
                if changes < row[stop]:
                    row[stop], cut[stop] = changes, start
        cost.append(row)
        cuts.append(cut)
    parts: list[list[Interval]] = []
    stop = len(found)
    for cut in reversed(cuts):
        parts.append(spoken[cut[stop] : stop])
        stop = cut[stop]
    return parts[::-1]


def _changes(found: list[str], word: Word) -> int:
    return min(_edits(found, [without_stress(phone) for phone in phones]) for phones in (word.phones, *word.variants))


def _edits(first: list[str], second: list[str]) -> int:
    """Levenshtein distance of two sequences."""
    row = list(range(len(second) + 1))
    for i, one in enumerate(first, start=1):
        corner, row[0] = row[0], i
        for j, other in enumerate(second, start=1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (one != other))
    return row[-1]


def _with_stress(word: Word, phones: list[Interval]) -> list[Interval]:
    """The phones of a word, every vowel with a stress digit."""
    bare = [without_stress(phone.label) for phone in phones]
    vowels = [place for place, name in enumerate(bare) if name in _VOWELS]
    alike = [each for each in (word.phones, *word.variants) if [without_stress(phone) for phone in each] == bare]
    stresses = [phone[-1] for phone in (alike[0] if alike else word.phones) if phone[-1] in "012"]
    if len(stresses) != len(vowels):
        stresses = ["0"] * len(vowels)
    labels = [phone.label for phone in phones]
    for place, stress in zip(vowels, stresses, strict=True):
        if labels[place][-1] not in "012":
            labels[place] += stress
    return [Interval(phone.start_s, phone.end_s, label) for phone, label in zip(phones, labels, strict=True)]
