"""The tokens as said: words, pauses and stress kept, phones taken from the alignment."""

from __future__ import annotations

import pytest

from speechkd.align import Alignment, Interval, token_durations
from speechkd.align.respell import respelled
from speechkd.errors import DataError
from speechkd.text.tokens import Tokens, Word, lay_out

THE = Word("the", ("DH", "AH0"), "lexicon", (("DH", "AH1"), ("DH", "IY0")))
BEE = Word("bee", ("B", "IY1"), "lexicon")
TOKENS = lay_out([THE, BEE], [",", "?"])


def alignment(phones: str, ends_of_words: tuple[int, ...], pause_after: int | None = None) -> Alignment:
    """Phones of 0.1 s each; words by the number of phones up to their end; a pause of 0.1 s after a phone."""
    found: list[Interval] = []
    words: list[Interval] = []
    at, began = 0.0, 0.0
    for number, label in enumerate(phones.split(), start=1):
        found.append(Interval(at, at + 0.1, label))
        at += 0.1
        if number in ends_of_words:
            words.append(Interval(began, at, f"w{number}"))
            if number == pause_after:
                found.append(Interval(at, at + 0.1, ""))
                at += 0.1
            began = at
    return Alignment(tuple(words), tuple(found), at)


def test_a_variant_takes_the_place_of_the_first_pronunciation() -> None:
    found = alignment("DH IY0 B IY1", (2, 4), pause_after=2)
    said = respelled(TOKENS, found)
    assert said.symbols == ("^", "DH", "IY0", ",", "B", "IY1", "?")
    assert said.words[0] == Word("the", ("DH", "IY0"), "lexicon", (("DH", "AH0"), ("DH", "AH1")))
    assert said.words[1] == BEE
    assert token_durations(found, said, 50, 0.01).tolist() == [0, 10, 10, 10, 10, 10, 0]
    with pytest.raises(DataError, match="phone 2"):
        token_durations(found, TOKENS, 50, 0.01)


def test_what_was_listed_first_and_said_changes_nothing() -> None:
    assert respelled(TOKENS, alignment("DH AH0 B IY1", (2, 4))) == TOKENS
    assert respelled(TOKENS, alignment("DH AH B IY", (2, 4))) == TOKENS


@pytest.mark.parametrize(
    ("aligned", "said"),
    [
        ("DH AH1 B IY1", ("DH", "AH1")),  # listed with this very stress
        ("DH IY B IY", ("DH", "IY0")),  # the stress of the variant
        ("DH UW B IY", ("DH", "UW0")),  # not listed: the stress of the vowel in the same place
        ("D UW2 B IY", ("D", "UW2")),  # not listed, with its own stress
    ],
)
def test_stress(aligned: str, said: tuple[str, ...]) -> None:
    words = respelled(TOKENS, alignment(aligned, (2, 4))).words
    assert words[0].phones == said and words[1].phones == ("B", "IY1")


def test_a_pronunciation_with_another_number_of_vowels_has_no_stress_to_take() -> None:
    said = respelled(TOKENS, alignment("DH AH IY B IY", (3, 5)))
    assert said.words[0].phones == ("DH", "AH0", "IY0")
    assert said.words[0].variants == (THE.phones, *THE.variants)


def test_words_keep_their_count_and_cannot_lose_their_phones() -> None:
    with pytest.raises(DataError, match="1 words, the text 2"):
        respelled(TOKENS, alignment("DH AH0", (2,)))
    empty = Alignment(
        (Interval(0, 0.2, "the"), Interval(0.2, 0.3, "bee")), (Interval(0, 0.2, "DH"), Interval(0.2, 0.3, "")), 0.3
    )
    with pytest.raises(DataError, match="'bee' has no phone"):
        respelled(TOKENS, empty)
    outside = alignment("DH AH0 B IY1", (2, 4))
    late = Alignment((Interval(0, 0.2, "the"), Interval(0.31, 0.4, "bee")), outside.phones, outside.duration_s)
    with pytest.raises(DataError, match="Phone B at 0.200 s belongs to no word"):
        respelled(TOKENS, late)


def test_round_trip_through_json() -> None:
    said = respelled(TOKENS, alignment("DH IY0 B IY1", (2, 4)))
    assert Tokens.from_json(said.to_json()) == said
