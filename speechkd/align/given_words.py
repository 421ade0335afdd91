"""Which words of a TextGrid are which words of the text, though the two split and spell them differently.

Words are the same when their letters are (case, apostrophes and hyphens apart). An aligner may cut a word at its
hyphen or apostrophe ("forty two", "jenson s") or join two; so a few words of one side may stand for a few of the
other. Where the letters differ, the same sounds will do ("gray", "grey"), or the text being what the TextGrid's
abbreviation stands for ("messrs", "messieurs").
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

from speechkd.align.matching import without_stress
from speechkd.align.types import SAME_INSTANT_S, Alignment, Interval
from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text.tokens import Word

#: The phone of a word that the aligner's dictionary lacks; it stands for any length of speech.
UNKNOWN_PHONE = "spn"

#: So many words of one side can stand for so many of the other.
_LONGEST_GROUP = 6


def match_words(given: Alignment, words: Sequence[Word], where: str) -> list[tuple[int, int]]:
    """Groups (words of `given`, words of the text) that stand for each other, in order; both sum to all words.

    Raises `DataError` that names the first words that differ.
    """
    heard = [_letters(word.label) for word in given.words]
    written = [_letters(word.text) for word in words]
    # Steps only go forward, so a place is final once all places nearer to the start are done.
    best: dict[tuple[int, int], tuple[int, tuple[int, int]]] = {(0, 0): (0, (0, 0))}
    queue = [(0, (0, 0))]
    while queue:
        _, at = heapq.heappop(queue)
        for step in _steps(given, words, heard, written, at):
            following = (at[0] + step[0], at[1] + step[1])
            if following not in best:
                heapq.heappush(queue, (sum(following), following))
            # The more groups, the smaller they are.
            best[following] = max(best.get(following, (0, step)), (best[at][0] + 1, step))
    end = (len(heard), len(written))
    if end not in best:
        raise _difference(given, words, max(best, key=sum), where)
    groups: list[tuple[int, int]] = []
    while end != (0, 0):
        step = best[end][1]
        groups.append(step)
        end = (end[0] - step[0], end[1] - step[1])
    return groups[::-1]


_SIZES = sorted(product(range(1, _LONGEST_GROUP + 1), repeat=2), key=sum)


def _steps(
    given: Alignment, words: Sequence[Word], heard: list[str], written: list[str], at: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """The groups that can start at word `at[0]` of the TextGrid and word `at[1]` of the text."""
    first, second = at
    sizes = [(a, b) for a, b in _SIZES if first + a <= len(heard) and second + b <= len(written)]
    for a, b in sizes:
        if "".join(heard[first : first + a]) == "".join(written[second : second + b]):
            yield a, b
            return
    for a, b in sizes:
        if _same_sounds(given, given.words[first : first + a], words[second : second + b]) or (
            a == 1 and written[second : second + b] == _expansion(heard[first])
        ):
            yield a, b


def _letters(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())


def _same_sounds(given: Alignment, span: Sequence[Interval], words: Sequence[Word]) -> bool:
    """Whether the phones within `span` are those of `words` or of their variants, stress apart."""
    found = tuple(without_stress(phone.label) for phone in phones_within(given, span[0].start_s, span[-1].end_s))
    ways: set[tuple[str, ...]] = {()}
    for word in words:
        listed = {tuple(map(without_stress, phones)) for phones in (word.phones, *word.variants)}
        ways = {way + phones for way in ways for phones in listed if found[: len(way)] == way}
    return found in ways


def phones_within(given: Alignment, start_s: float, end_s: float) -> list[Interval]:
    """The spoken phones that lie between two times."""
    return [
        phone
        for phone in given.spoken_phones()
        if phone.start_s >= start_s - SAME_INSTANT_S and phone.end_s <= end_s + SAME_INSTANT_S
    ]


@lru_cache(maxsize=4096)
def _expansion(word: str) -> list[str]:
    """The letters of the words that an abbreviation is read as; some are one only before a name."""
    from speechkd.text import normalise_english

    if not word.isascii() or not word:
        return []
    read = normalise_english(f"{word.capitalize()}. Smith").text.split()
    return [letters for piece in read[:-1] if (letters := _letters(piece))]


def refuse_unknown(given: Alignment, words: Sequence[Word], where: str) -> None:
    """Raise `DataError` when `given` has a phone spn, with the words of the text that it stands for."""
    spans = [phone for phone in given.phones if phone.label == UNKNOWN_PHONE]
    if not spans:
        return
    names = ", ".join(dict.fromkeys(_named(given, words, span) for span in spans))
    raise DataError(
        f"The aligner did not know {names}",
        where=where,
        why=f"phone {UNKNOWN_PHONE} at {spans[0].start_s:.3f} s: the word was not in its dictionary",
        todo="Put it into the dictionary that the aligner is given and align again; backend mfa does so by itself.",
    )


def _named(given: Alignment, words: Sequence[Word], span: Interval) -> str:
    """The words of the text in the place of an unknown word, or what the TextGrid calls it."""
    middle_s = (span.start_s + span.end_s) / 2
    place = next((i for i, word in enumerate(given.words) if word.start_s <= middle_s <= word.end_s), None)
    if place is None:
        return f"a word at {span.start_s:.3f} s"
    heard, written = [_letters(word.label) for word in given.words], [_letters(word.text) for word in words]
    for kind, a, b, c, d in SequenceMatcher(None, heard, written, autojunk=False).get_opcodes():
        if a <= place < b and kind == "replace":
            return repr(" ".join(word.text for word in words[c:d]))
    return f"{given.words[place].label!r} at {span.start_s:.3f} s"


def _difference(given: Alignment, words: Sequence[Word], at: tuple[int, int], where: str) -> DataError:
    sides = [
        " ".join(names[place : place + 4]) or "nothing more"
        for names, place in (([w.label for w in given.words], at[0]), ([w.text for w in words], at[1]))
    ]
    return DataError(
        f"The TextGrid and the text differ at word {at[1] + 1}",
        where=where,
        why=f"the TextGrid has {sides[0]!r}, the text {sides[1]!r}",
        todo="Correct the text, or align the text as it is.",
    )
