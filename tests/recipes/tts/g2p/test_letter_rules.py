"""The letter-to-sound rules that the network is measured against: a weak yardstick would flatter it."""

from __future__ import annotations

import random

from recipes.tts.g2p.errors import distance
from recipes.tts.g2p.letter_rules import letters_to_phones
from speechkd.text import cmu_lexicon, is_phone

LEXICON = cmu_lexicon()
WORDS = [word for word in LEXICON.words() if word.isalpha() and len(word) > 2 and any(c in "aeiouy" for c in word)]


def _bare(phones: tuple[str, ...]) -> list[str]:
    return [phone.rstrip("012") for phone in phones]


def test_they_are_near_the_dictionary() -> None:
    errors = phones = 0
    for word in random.Random(3).sample(WORDS, 3000):
        said = _bare(letters_to_phones(word))
        wrong, length = min((distance(said, _bare(listed)), len(listed)) for listed in LEXICON.variants(word))
        errors, phones = errors + wrong, phones + length
    assert errors / phones < 0.18


def test_they_give_one_primary_stress() -> None:
    for word in random.Random(4).sample(WORDS, 2000):
        phones = letters_to_phones(word)
        assert all(map(is_phone, phones))
        assert sum(phone.endswith("1") for phone in phones) == 1
