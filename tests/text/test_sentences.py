from __future__ import annotations

import pytest

from speechkd.text import split_sentences


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
