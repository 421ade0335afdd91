"""The tokens of an utterance as they were said: an aligner may find another pronunciation than the first one listed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from speechkd.align.matching import token_phones, without_stress
from speechkd.align.types import SILENCE, Alignment, Interval
from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text import Tokens
    from speechkd.text.tokens import Word

_VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())


def respelled(tokens: Tokens, alignment: Alignment) -> Tokens:
    """`tokens` with the phones that `alignment` found: the same words and pauses, stress kept or taken from the text.

    The pronunciations that were not said stay with their word as variants. Raises `DataError` when the alignment has
    other words than the tokens, or a phone outside of every word.
    """
    from speechkd.text.tokens import lay_out

    groups = _phones_by_word(tokens, alignment)
    words = [_said(word, group) for word, group in zip(tokens.words, groups, strict=True)]
    pairs = zip(tokens.symbols[1:], tokens.word_index[1:], strict=True)
    return lay_out(words, [symbol for symbol, word in pairs if word < 0])


def relabelled(alignment: Alignment, said: Tokens) -> Alignment:
    """`alignment` with the phones of `said`, which `respelled` made of it: the same sounds, the text's stress."""
    labels = iter([phone for phone, _ in token_phones(said)])
    phones = tuple(
        phone if phone.label == SILENCE else Interval(phone.start_s, phone.end_s, next(labels))
        for phone in alignment.phones
    )
    return replace(alignment, phones=phones)


def _phones_by_word(tokens: Tokens, alignment: Alignment) -> list[list[str]]:
    """The labels of the phones whose middle lies within each word."""
    if len(alignment.words) != len(tokens.words):
        why = f"the alignment has {len(alignment.words)} words, the text {len(tokens.words)}"
        raise DataError("The alignment is of another text", why=why)
    groups: list[list[str]] = [[] for _ in tokens.words]
    at = 0
    for phone in alignment.spoken_phones():
        middle_s = (phone.start_s + phone.end_s) / 2
        while at < len(groups) - 1 and middle_s > alignment.words[at].end_s:
            at += 1
        if not groups or not _within(middle_s, alignment.words[at]):
            raise DataError(f"Phone {phone.label} at {phone.start_s:.3f} s belongs to no word")
        groups[at].append(phone.label)
    for word, group in zip(tokens.words, groups, strict=True):
        if not group:
            raise DataError(f"Word {word.text!r} has no phone in the alignment")
    return groups


def _within(time_s: float, interval: Interval) -> bool:
    return interval.start_s <= time_s <= interval.end_s


def _said(word: Word, found: list[str]) -> Word:
    """The word with the phones found; its other pronunciations become the variants."""
    listed = (word.phones, *word.variants)
    bare = [without_stress(phone) for phone in found]
    exact = [phones for phones in listed if list(phones) == found]
    alike = [phones for phones in listed if [without_stress(phone) for phone in phones] == bare]
    said = next(iter(exact or alike), None) or _with_stress(found, word.phones)
    return replace(word, phones=said, variants=tuple(phones for phones in listed if phones != said))


def _with_stress(found: list[str], listed: tuple[str, ...]) -> tuple[str, ...]:
    """Phones with a stress digit on every vowel: their own, else that of the listed vowel in the same place, else 0."""
    stresses = [phone[-1] for phone in listed if phone[-1] in "012"]
    places = [place for place, phone in enumerate(found) if without_stress(phone) in _VOWELS]
    fitting = stresses if len(stresses) == len(places) else ["0"] * len(places)
    phones = list(found)
    for place, stress in zip(places, fitting, strict=True):
        if phones[place][-1] not in "012":
            phones[place] += stress
    return tuple(phones)
