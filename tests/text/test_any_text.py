"""Any text at all: no crash but DataError, only known symbols, time that grows with the length and no faster."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechkd.errors import DataError
from speechkd.text import ENGLISH_SYMBOLS, EnglishFrontend, split_sentences

FRONTEND = EnglishFrontend()
_PIECES = st.sampled_from(
    "1 23 1,000 1984 $ £ € . , : ; - -- / % am p.m. Mr. St. U.S. I V XIV Henry Nov. 23rd 's ' \" ( ) km kg °C # @ "
    "www. .com http:// 1/2 x é 😀 日本 \n\n the FBI NASA iOS pre- 5k ½ ... ?! _ * \\ 0 00 '80s 1990s".split(" ")
)
_ODD_TEXTS = st.one_of(
    st.text(max_size=60), st.lists(_PIECES, max_size=14).map(" ".join), st.lists(_PIECES).map("".join)
)


@given(_ODD_TEXTS)
@settings(max_examples=250, deadline=None)
def test_any_text_gives_tokens_or_a_data_error(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
    try:
        tokens = FRONTEND.tokens(text)
    except DataError:
        return
    ENGLISH_SYMBOLS.encode(tokens.symbols)
    assert tokens.symbols[0] == "^" and tokens.symbols[-1] in ".?!" and tokens.words
    assert not any(c.isdigit() for c in FRONTEND.normalise(text))
    assert FRONTEND.tokens(text) == tokens


@given(st.text(alphabet=st.characters(min_codepoint=0x21), min_size=1, max_size=30))
@settings(max_examples=200, deadline=None)
def test_letters_are_spoken_or_listed(text: str) -> None:
    """Any character that is not ASCII and not read is in the list of dropped ones."""
    foreign = [char for char in text if 0x3040 <= ord(char) <= 0x30FF]
    try:
        dropped = FRONTEND.normalised(text + " word").dropped
    except DataError:
        return
    for char in foreign:
        assert char in dropped


@pytest.mark.parametrize(
    "unit",
    ["a", "1", "1,", "1.", "-", " ", "\n", "a.", "I ", "I.", "$1", "1/", "A", "'", "a-", "a@", "a.b/", "www.", "1:", "1-2 ",
     "Mr. ", "()", "No. ", "5 km ", "Henry I ", "x*", "#a", "&", "aA", "é", "😀", "1990s", "http://", "Nov. 1 ", "1,000,",
     "a/", "/a", "a.pdf", "1 ", "+1 ", "555-", "1^", "²", "x^2 ", "1e5", "May 1-", "9:00-", "1h 2m ", "C:\\a\\", "a $5 ",
     "5 m/", "XXI ", "[", "]", "[[A]] ", "read ", "the ", "very "],
)  # fmt: skip
def test_time_is_linear(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length] + " end"
        start = time.process_time()
        with suppress(DataError):
            FRONTEND.spoken_tokens(FRONTEND.normalise(text))
        split_sentences(text)
        return time.process_time() - start

    seconds(1000)
    # The least of several: a collection of garbage or a busy machine only ever adds.
    short, long = min(seconds(2_000) for _ in range(3)), min(seconds(16_000) for _ in range(2))
    # Eight times the text: about eight times as long; quadratic time would take 64 times as long.
    assert long < 0.1 or long < 24 * short


def test_no_torch_and_quick_to_import() -> None:
    code = (
        "import sys, speechkd.text as t; t.EnglishFrontend().tokens('It is 5 pm.'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
