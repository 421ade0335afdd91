from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechkd.errors import DataError
from speechkd.text import ENGLISH_SYMBOLS, PHONES, EnglishFrontend, split_sentences

FRONTEND = EnglishFrontend()


def test_phonemes_are_said_as_they_stand() -> None:
    tokens = FRONTEND.tokens("Say [[T AH0 M AA1 T OW2]], not 2 others.")
    assert " ".join(tokens.symbols) == (
        "^ S EY1 | T AH0 M AA1 T OW2 , N AA1 T | T UW1 | AH1 DH ER0 Z ."
    )  # fmt: skip
    assert tokens.words[1].source == "inline" and tokens.words[1].text == "T_AH0_M_AA1_T_OW2"


def test_several_words() -> None:
    tokens = FRONTEND.tokens("[[G UH1 D | M AO1 R N IH0 NG]]!")
    assert " ".join(tokens.symbols) == "^ G UH1 D | M AO1 R N IH0 NG !"
    assert len(tokens.words) == 2


def test_normalising_keeps_them() -> None:
    assert FRONTEND.normalise("On 5/6/2020: [[HH AH0 L OW1]]? ([[N OW1]])") == (
        "on may sixth, twenty twenty: [[HH AH0 L OW1]]? [[N OW1]]"
    )
    spoken = FRONTEND.normalise("the [[K AE1 T | D AO1 G]] sat")
    assert spoken == "the [[K AE1 T]] [[D AO1 G]] sat"
    assert FRONTEND.spoken_tokens(spoken).symbols == FRONTEND.tokens("the [[K AE1 T | D AO1 G]] sat").symbols


def test_single_brackets_are_none() -> None:
    assert FRONTEND.normalise("see [1] and [a]") == "see, one, and, a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Say [[HH AH0 LL OW1]]", r"column 14 .*unknown phone 'LL'.*Did you mean L\?"),
        ("Say [[HH AH L OW1]]", r"column 10 .*unknown phone 'AH'.*AH0, AH1 or AH2"),
        ("Say [[hh ah0]]", r"column 7 .*unknown phone 'hh'.*Did you mean HH\?"),
        ("Say [[日]]", r"column 7 .*unknown phone '日'.*ARPAbet"),
        ("Say [[HH AH0", r"column 5 .*begin with \[\[ and do not end.*\]\]"),
        ("[[K AE1 T]] [[ and [[D AO1 G]]", r"column 13 .*do not end"),
        ("One.\nTwo [[K", r"line 2, column 5 .*do not end"),
        ("a [[ ]]", r"column 5 .*has no phones"),
        ("a [[K AE1 T | ]]", r"no phones"),
    ],
)
def test_errors_tell_the_place(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        FRONTEND.tokens(text)


def test_sentences_are_not_cut_inside() -> None:
    assert split_sentences("Say [[K AE1\n\nT]]. Then go. [[D AO1 G]]! Yes") == [
        "Say [[K AE1\n\nT]].", "Then go.", "[[D AO1 G]]!", "Yes",
    ]  # fmt: skip


_PIECES = st.sampled_from(
    ["[[", "]]", "[", "]", "HH", "AH0", "L", "|", " ", "x", "1", ".", "\n\n", "\ue001", "[[K AE1 T]]"]
)


@given(st.lists(_PIECES, max_size=16).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_brackets_give_tokens_or_a_data_error(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
    try:
        tokens = FRONTEND.tokens(text)
    except DataError:
        return
    ENGLISH_SYMBOLS.encode(tokens.symbols)
    assert ("inline" in {word.source for word in tokens.words}) == ("[[" in text)


@given(st.lists(st.sampled_from(PHONES), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_any_phones_come_back(phones: list[str]) -> None:
    word = FRONTEND.tokens(f"a [[{' '.join(phones)}]] b").words[1]
    assert list(word.phones) == phones


def test_the_private_placeholder_cannot_come_from_the_text() -> None:
    done = FRONTEND.normalised("a \ue001 b [[K AE1 T]]")
    assert done.text == "a b [[K AE1 T]]" and done.dropped == ("\ue001",)
