"""Letters and phones: the best path by brute force, and what a dictionary teaches."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from recipes.tts.g2p.letter_alignment import _best_paths, align_letters
from speechkd.text import cmu_lexicon
from speechkd.text.g2p_weights import LETTERS


def test_the_best_path_is_the_best_of_all() -> None:
    generator = np.random.default_rng(0)
    none = generator.normal(size=len(LETTERS))
    one = generator.normal(size=(len(LETTERS), 39))
    two = generator.normal(size=(len(LETTERS), 39, 39))
    for n, m in ((1, 2), (3, 3), (4, 2), (3, 6), (5, 4)):
        letters = generator.integers(0, len(LETTERS), (6, n))
        phones = generator.integers(0, 39, (6, m))
        found = _best_paths(letters, phones, none, one, two)
        for row in range(6):
            scores = {
                counts: path_score(letters[row], phones[row], counts, (none, one, two))
                for counts in itertools.product(range(3), repeat=n)
                if sum(counts) == m
            }
            assert tuple(found[row].tolist()) == max(scores, key=scores.__getitem__)


def path_score(
    letters: np.ndarray, phones: np.ndarray, counts: tuple[int, ...], tables: tuple[np.ndarray, ...]
) -> float:
    heard = iter(phones.tolist())
    return sum(
        float(tables[count][(letter, *itertools.islice(heard, count))])
        for letter, count in zip(letters.tolist(), counts, strict=True)
    )


@pytest.fixture(scope="module")
def taught() -> dict[str, dict[str, str]]:
    """The letters of some words with what they say, learnt from every twelfth word of the dictionary."""
    lexicon = cmu_lexicon()
    asked = ["phoenix", "knight", "through", "queen", "box's", "battle", "judging"]
    words = [word for word in lexicon.words() if word.isalpha()][::12] + asked
    pairs = [
        (word, lexicon.variants(word)[0] if word != "box's" else ("B", "AA1", "K", "S", "IH0", "Z")) for word in words
    ]
    found = align_letters(pairs, rounds=5)
    for (word, phones), chunks in zip(pairs, found, strict=True):
        if chunks is None:
            assert len(phones) > 2 * len(word)
        else:
            assert len(chunks) == len(word)
            assert tuple(itertools.chain(*chunks)) == phones
            assert all(len(chunk) <= 2 for chunk in chunks)
    return {
        word: [" ".join(chunk) for chunk in chunks] for word, chunks in zip(asked, found[-len(asked) :], strict=True)
    }


@pytest.mark.parametrize(
    ("word", "letter", "sounds"),
    [
        ("phoenix", 6, "K S"),
        ("knight", 2, "AY1"),
        ("through", 2, "R"),
        ("queen", 0, "K"),
        ("queen", 1, "W"),
        ("box's", 2, "K S"),
        ("battle", 1, "AE1"),
        ("battle", 4, "AH0 L"),
        ("judging", 0, "JH"),
        ("judging", 4, "IH0"),
    ],
)
def test_letters_say_what_a_reader_expects(taught: dict[str, list[str]], word: str, letter: int, sounds: str) -> None:
    assert taught[word][letter] == sounds


def test_digraphs_speak_once(taught: dict[str, list[str]]) -> None:
    assert sorted(taught["phoenix"][:2]) == ["", "F"]
    assert sorted(taught["through"][:2]) == ["", "TH"]
    assert taught["knight"].count("") == 3


def test_a_word_with_too_many_phones_is_left_out() -> None:
    pairs = [("b", ("B", "IY1")), ("w", ("D", "AH1", "B", "AH0", "L", "Y", "UW0"))]
    assert align_letters(pairs, rounds=2) == [(("B", "IY1"),), None]
