"""Texts as numbers and back, words and their spans, and the nearest word against a slow definition."""

from __future__ import annotations

from functools import cache
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechkd.errors import DataError
from speechkd.models.lipreading.characters import BOS, EOS, PAD, Characters
from speechkd.models.lipreading.words import edit_distance, nearest_word


def test_english_is_26_letters_a_space_and_three_numbers() -> None:
    assert len(Characters()) == 30 and len({PAD, BOS, EOS}) == 3
    assert sorted(Characters().encode(ascii_lowercase + " ")[:-1]) == sorted(set(range(30)) - {PAD, BOS, EOS})


@given(st.text(alphabet="abc äŋ", max_size=12), st.lists(st.integers(0, 8), max_size=3))
def test_a_text_comes_back_whatever_follows_its_end(text: str, behind: list[int]) -> None:
    characters = Characters("abc äŋ")
    assert characters.decode(characters.encode(text) + behind) == text


def test_padding_and_the_beginning_say_nothing() -> None:
    characters = Characters("ab")
    assert characters.decode([BOS, 3, PAD, 4]) == "ab"


def test_a_character_outside_the_alphabet_is_named() -> None:
    with pytest.raises(DataError, match="the alphabet has no 'X', 'é'"):
        Characters().encode("bin Xé")


@cache
def slow_distance(one: str, other: str) -> int:
    """Levenshtein's distance by its recursive definition."""
    if not one or not other:
        return len(one) + len(other)
    kept = slow_distance(one[1:], other[1:])
    if one[0] == other[0]:
        return kept
    return 1 + min(kept, slow_distance(one[1:], other), slow_distance(one, other[1:]))


@given(st.text(alphabet="abc", max_size=6), st.text(alphabet="abc", max_size=6))
def test_edit_distance_is_the_recursive_definition(one: str, other: str) -> None:
    assert edit_distance(one, other) == slow_distance(one, other)


def test_the_nearest_word_is_the_first_of_the_nearest() -> None:
    words = ["about", "above", "abuse", "house"]
    assert nearest_word("abuose", words) == "abuse"
    assert nearest_word("abo", words) == "about"
    assert nearest_word("abo", words[::-1]) == "above"
    assert nearest_word("house", words) == "house"
