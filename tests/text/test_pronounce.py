"""Words outside the lexicon. The endings are checked against words that the CMU dictionary itself lists."""

from __future__ import annotations

import random

import pytest

from speechkd.text import EnglishFrontend, cmu_lexicon
from speechkd.text.morphology import add_past, add_plural, derive
from speechkd.text.pronounce import spell
from speechkd.text.symbols import is_phone, is_vowel

FRONTEND = EnglishFrontend()
LEXICON = cmu_lexicon()


def _default(word: str) -> tuple[str, ...] | None:
    variants = LEXICON.variants(word)
    return variants[0] if variants else None


@pytest.mark.parametrize(
    ("word", "phones", "source"),
    [
        ("smartphone's", "S M AA1 R T F OW2 N Z", "morphology"),
        ("hashtags", "HH AE1 SH T AE2 G Z", "morphology"),
        ("podcasts", "P AO1 D K AE2 S T S", "morphology"),
        ("unfriended", "AH2 N F R EH1 N D IH0 D", "morphology"),
        ("touchscreen", "T AH1 CH S K R IY2 N", "morphology"),
        ("trekked", "T R EH1 K T", "lexicon"),
        ("photobombed", "F OW2 T OW0 B AA1 M D", "morphology"),
        ("mansplaining", "M AE1 N S P L EY2 N IH0 NG", "morphology"),
        ("bewilderingly", "B IH0 W IH1 L D ER0 IH0 NG L IY0", "morphology"),
        ("cat-of-the-day", "K AE1 T AH1 V DH AH0 D EY1", "morphology"),
        ("wug-like", "W AH1 G L AY1 K", "g2p"),
        ("wug", "W AH1 G", "g2p"),
        ("wugs", "W AH1 G Z", "g2p"),
        ("frindle's", "F R IH1 N D AH0 L Z", "g2p"),
        ("glorped", "G L AO1 R P T", "g2p"),
        ("gimble", "G IH1 M B AH0 L", "g2p"),
        ("XKCD", "EH2 K S K EY2 S IY2 D IY1", "letters"),
        ("XKCDs", "EH2 K S K EY2 S IY2 D IY1 Z", "letters"),
        ("bcdf", "B IY2 S IY2 D IY2 EH1 F", "letters"),
        ("hmm", "HH M", "lexicon"),
    ],
)
def test_chain(word: str, phones: str, source: str) -> None:
    said = FRONTEND.pronouncer.word(word)
    assert (" ".join(said.phones), said.source) == (phones, source)


def test_plural_and_past_agree_with_the_dictionary() -> None:
    """Derive listed plurals and pasts from their listed stems: the last sounds must be the dictionary's."""
    generator = random.Random(1)
    words = [word for word in LEXICON.words() if word.isalpha() and len(word) > 4 and word == word.lower()]
    right = total = 0
    for word in generator.sample(words, 20_000):
        for ending, add in (("s", add_plural), ("ed", add_past)):
            stem = _default(word.removesuffix(ending)) if word.endswith(ending) and not word.endswith("ss") else None
            listed = LEXICON.variants(word)
            if stem and any(phones[: len(stem)] == stem for phones in listed):
                total += 1
                right += any(_reduced(add(stem)) == _reduced(phones) for phones in listed)
    assert total > 1000 and right / total > 0.97


def test_derived_words_are_near_the_dictionary() -> None:
    """Hide listed words and derive them from the rest: few phones may differ, stress aside."""
    words = [word for word in LEXICON.words() if word.endswith(("ness", "less", "ly", "ing", "ers")) and word.isalpha()]
    errors = phones = found = 0
    for word in random.Random(2).sample(words, 1500):
        said = derive(word, lambda other, hidden=word: None if other == hidden else _default(other))
        if said:
            found += 1
            errors += min(_distance(_bare(said), _bare(listed)) for listed in LEXICON.variants(word))
            phones += len(said)
    assert found > 1000 and errors / phones < 0.05


def test_spelled_letters_have_the_names_of_the_dictionary() -> None:
    for letter in "bcdefghijklmnopqrstuvwxyz":
        assert _bare(spell(letter)) in [_bare(listed) for listed in LEXICON.variants(letter)], letter
    assert spell("fbi") == ("EH2", "F", "B", "IY2", "AY1")


def test_long_and_odd_words_end() -> None:
    for word in ("a" * 10_000, "ing" * 5000, "un" * 5000, "b" * 10_000, "s's" * 2000, "re-" * 3000 + "a"):
        said = FRONTEND.pronouncer.word(word)
        assert said.phones and all(map(is_phone, said.phones))
        assert any(map(is_vowel, said.phones))


def _reduced(phones: tuple[str, ...]) -> list[str]:
    """Without stress, and with one reduced vowel: the dictionary writes both IH0 Z and AH0 Z."""
    return ["IH" if phone in ("AH0", "IH0") else phone.rstrip("012") for phone in phones]


def _bare(phones: tuple[str, ...]) -> list[str]:
    return [phone.rstrip("012") for phone in phones]


def _distance(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for x in a:
        diagonal, row[0] = row[0], row[0] + 1
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]
