from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechkd.text import split_sentences
from speechkd.text.sentences import Sentence, iter_sentences


@pytest.mark.parametrize(
    "joined",
    [
        "One. | Two! | Three?",
        "Mr. Smith met Dr. Jones. | They left.",
        "He came at 5 p.m. | She did not.",
        "It rained... hard! | \"Really?\" she asked. | Yes.",
        "The U.S. Army won. | I live in the U.S. | He does not.",
        "See Fig. 3 and No. 5. | J. R. R. Tolkien wrote it.",
        "Pi is 3.14, about. | $3.50 is little.",
        "He said \"stop.\" | Then he left.",
        "A title | and text",
        "apples, pears, etc. are fruit. | Apples, etc. | Next one",
        "Nov. 23 was cold. | Dec. was not",
        "No. | I said no. | No more.",
    ],
)  # fmt: skip
def test_split(joined: str) -> None:
    parts = joined.split(" | ")
    glue = "\n\n" if parts[0] == "A title" else " "
    assert split_sentences(glue.join(parts)) == parts


def test_nothing_but_white_space_is_lost() -> None:
    text = "  One.  Two?\n\n\nThree!! (Four.) five … six。七 "
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


def test_empty_text() -> None:
    assert split_sentences(" \n ") == []


_PIECES = st.sampled_from(
    ["Mr.", "Smith", ". ", "! ", "?", "\n", "\n\n", " \n \n ", " ", "...", '"', ")", "[[", "]]", "[", "HH", "U.S.", "He", "no",
     "5", "\u3002", "Nov. ", "p.m. ", "x" * 45, " " * 45, "." * 45, "A. "]
)  # fmt: skip


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_sentences_are_the_same_however_the_text_comes(data: st.DataObject) -> None:
    text = "".join(data.draw(st.lists(_PIECES, max_size=25)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = list(iter_sentences(text))
    assert list(iter_sentences(pieces)) == list(iter_sentences(list(text))) == whole
    assert [sentence.text for sentence in whole] == split_sentences(text)
    for sentence in whole:
        assert text[sentence.start :].startswith(sentence.text)
    # A paragraph ends where a blank line follows, and at the end of the text.
    for sentence, behind in pairwise(whole):
        gap = text[sentence.start + len(sentence.text) : behind.start]
        assert sentence.ends_paragraph == (gap.count("\n") > 1)
    assert not whole or whole[-1].ends_paragraph


def test_paragraphs() -> None:
    assert list(iter_sentences("One. Two\n \nThree\nand so on.\n\n\n")) == [
        Sentence("One.", 0, False), Sentence("Two", 5, True), Sentence("Three\nand so on.", 11, True),
    ]  # fmt: skip


def test_a_sentence_is_told_before_the_text_ends() -> None:
    taken: list[str] = []

    def pieces():
        for piece in [
            "It is cold. ",
            "Then the sun comes out and ",
            "everything begins to melt. ",
            "x" * 50,
            " never taken",
        ]:
            taken.append(piece)
            yield piece

    assert next(iter(iter_sentences(pieces()))).text == "It is cold."
    assert len(taken) == 3


@pytest.mark.parametrize("unit", [".", "a", ". ", "[[", "\n", " ", "\n ", '!"', "[[a ", "\u3002", "a. "])
def test_time_is_linear(unit: str) -> None:
    """Also for a text that comes character by character."""

    def seconds(length: int) -> float:
        text = (unit * length)[:length] + "x"
        start = time.process_time()
        assert "".join(sentence.text for sentence in iter_sentences(list(text)))
        return time.process_time() - start

    short, long = min(seconds(4_000) for _ in range(3)), min(seconds(32_000) for _ in range(2))
    assert long < 0.1 or long < 24 * short
