"""Who is held out, and how errors are counted."""

from __future__ import annotations

import functools
import itertools
import random
from pathlib import Path

import pytest

from recipes.tts.g2p.dictionary import Dictionary, cmu_dictionary
from recipes.tts.g2p.errors import ErrorCount, distance
from recipes.tts.g2p.score import by_rules, family, unfamiliar
from speechkd.text import cmu_lexicon


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return cmu_dictionary(2000, 5000, 0)


def test_sizes_and_sides(dictionary: Dictionary) -> None:
    sides = {name: set(words) for name, words in dictionary.splits.items()}
    assert len(sides["test"]) == 5000 and len(sides["valid"]) == 2000
    assert not any(a & b for a, b in itertools.combinations(sides.values(), 2))
    assert set().union(*sides.values()) == set(dictionary.words)
    assert len(dictionary.words) > 120_000
    assert all(set(word) <= set("abcdefghijklmnopqrstuvwxyz'") for word in dictionary.words)


def test_all_pronunciations_are_the_lexicons(dictionary: Dictionary) -> None:
    for word in random.Random(0).sample(sorted(dictionary.words), 500):
        assert set(dictionary.words[word]) == set(cmu_lexicon().variants(word))
        assert len(set(dictionary.words[word])) == len(dictionary.words[word])


def test_the_same_spelling_never_stands_on_two_sides(dictionary: Dictionary) -> None:
    side = {word: name for name, words in dictionary.splits.items() for word in words}
    pairs = [(word, word.strip("'")) for word in side if word.strip("'") != word and word.strip("'") in side]
    assert len(pairs) > 100
    assert all(side[word] == side[bare] for word, bare in pairs)


def test_the_split_depends_on_the_seed_alone(dictionary: Dictionary, tmp_path: Path) -> None:
    first, again, other = (cmu_dictionary(20, 50, seed, limit=1000).splits for seed in (0, 0, 1))
    assert first == again != other
    dictionary.write(tmp_path)
    assert Dictionary.read(tmp_path) == dictionary


def test_fewer_words() -> None:
    small = cmu_dictionary(10, 20, 0, limit=500)
    assert len(small.words) == 500
    assert len({word[0] for word in small.words if word[0].isalpha()}) > 20


def test_families() -> None:
    assert len({family(word) for word in ("judge", "judges", "judged", "judging", "judge's", "judgement")}) == 1
    assert len({family(word) for word in ("stop", "stopped", "stopping", "stops", "stoppers")}) == 1
    assert len({family(word) for word in ("happy", "happiness", "happily")}) <= 2
    assert family("cat") != family("car")


def test_words_of_no_trained_family() -> None:
    words = dict.fromkeys(("judges", "judging", "walrus", "walking"), (("AH0",),))
    splits = {"train": ["judges"], "valid": [], "test": ["judging", "walking", "walrus"]}
    assert unfamiliar(Dictionary(words, splits)) == ["walking", "walrus"]


def test_errors_are_counted_against_the_nearest_pronunciation() -> None:
    listed = [("T", "AH0", "M", "EY1", "T", "OW2"), ("T", "AH0", "M", "AA1", "T", "OW2")]
    plain, stressed = ErrorCount(stress=False), ErrorCount(stress=True)
    for count in (plain, stressed):
        count.add(("T", "AH0", "M", "AA2", "T", "OW1"), listed)
        count.add(("K", "AE1", "T"), [("K", "AE1", "T", "S")])
    assert (plain.words, plain.wrong_words, plain.phones, plain.wrong_phones) == (2, 1, 10, 1)
    assert (stressed.words, stressed.wrong_words, stressed.phones, stressed.wrong_phones) == (2, 2, 10, 3)
    assert plain.word_error == 0.5 and plain.phone_error == 0.1


def test_the_edit_distance_by_its_definition() -> None:
    generator = random.Random(0)

    @functools.cache
    def by_definition(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        rest = by_definition(a[1:], b[1:]) + (a[0] != b[0])
        return min(rest, by_definition(a[1:], b) + 1, by_definition(a, b[1:]) + 1)

    for _ in range(200):
        a, b = ("".join(generator.choices("xyz", k=generator.randrange(7))) for _ in range(2))
        assert distance(a, b) == by_definition(a, b)


def test_the_letter_rules_say_every_held_out_word(dictionary: Dictionary) -> None:
    said = [by_rules(word) for word in dictionary.splits["test"][:1000]]
    assert all(said) and len(set(said)) > 900
