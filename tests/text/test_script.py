"""From plain text to lines: odd texts, silences, pieces of long texts, and that nothing is read before it is needed."""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechkd.errors import DataError, NothingToSpeak, UsageError
from speechkd.text import ENGLISH_SYMBOLS, EnglishFrontend, Tokens
from speechkd.text.long_text import MOST_TOKENS
from speechkd.text.script import FIRST_TOKENS, Line, lines_of_ssml, lines_of_text
from tests.text.test_ssml import document_of

FRONTEND = EnglishFrontend()
ODD = [json.loads(row) for row in (Path(__file__).parent / "odd_texts.jsonl").read_text(encoding="utf-8").splitlines()]


def words(lines: list[Line]) -> list[str]:
    return [word.text for line in lines for word in line.tokens.words]


def check(lines: list[Line]) -> None:
    """What holds of the lines of any text."""
    assert lines
    for number, line in enumerate(lines):
        ENGLISH_SYMBOLS.encode(line.tokens.symbols)
        assert line.tokens.words and line.tokens.symbols[0] == "^"
        assert len(line.tokens) <= (MOST_TOKENS if number else FIRST_TOKENS)
        assert line.pause_s >= 0 and not line.prosody and not line.marks
    assert lines[-1].pause_s == 0


@pytest.mark.parametrize("case", ODD, ids=lambda case: case["id"])
def test_odd_texts(case: dict[str, Any]) -> None:
    text = document_of({"ssml": case["text"]})
    start = time.process_time()
    if "usage" in case:
        with pytest.raises(UsageError, match=case["usage"]):
            lines_of_text(text, FRONTEND)
    elif "error" in case:
        with pytest.raises(DataError, match=case["error"]):
            list(lines_of_text(text, FRONTEND))
    elif "nothing" in case:
        with pytest.raises(NothingToSpeak):
            list(lines_of_text(text, FRONTEND))
    else:
        lines = list(lines_of_text(text, FRONTEND))
        check(lines)
        assert len(words(lines)) >= case.get("least", 1) and len(words(lines)) == case.get("words", len(words(lines)))
    assert time.process_time() - start < 10.0


def test_the_table_of_odd_texts_is_wide() -> None:
    assert len(ODD) >= 100 and len({case["id"] for case in ODD}) == len(ODD)


def test_silences_behind_sentences_and_paragraphs() -> None:
    lines = list(lines_of_text("One. Two!\n\nThree?\n \n\n---\n\nFour. Five", FRONTEND))
    assert words(lines) == ["one", "two", "three", "four", "five"]
    assert [line.pause_s for line in lines] == [0.15, 0.5, 0.5, 0.15, 0.0]
    assert not any(line.exact_pause for line in lines)


def test_what_follows_without_a_word_leaves_no_silence() -> None:
    assert [line.pause_s for line in lines_of_text("One.\n\n--- ... \n\n!", FRONTEND)] == [0.0]


def test_a_long_sentence_comes_in_pieces_without_silence_between() -> None:
    text = " ".join(["and so it went on, day after day"] * 40)
    lines = list(lines_of_text(text + ". The end.", FRONTEND))
    check(lines)
    assert " ".join(words(lines)) == text.replace(",", "") + " the end"
    assert [line.pause_s for line in lines] == [0.0] * (len(lines) - 2) + [0.15, 0.0]
    # The first piece is cut behind its last comma; later ones use the room that they have.
    assert lines[0].tokens.words[-1].text == "on"
    assert all(len(line.tokens) > MOST_TOKENS / 2 for line in lines[1:-2])


def test_a_word_without_end_comes_in_pieces() -> None:
    whole = FRONTEND.tokens("x" + "ab" * 2000)
    lines = list(lines_of_text("x" + "ab" * 2000, FRONTEND))
    check(lines)
    assert [phone for line in lines for word in line.tokens.words for phone in word.phones] == list(
        whole.words[0].phones
    )
    assert "".join(words(lines)) == whole.words[0].text


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_pieces_of_a_text_say_the_same(data: st.DataObject) -> None:
    pool = st.sampled_from(
        ["One. ", "Mr. ", "two", " ", "\n\n", "--- ", "U.S. ", "He said no! ", "[[K AE1 T]]", ",", "5 p.m. "]
    )
    text = "go " + "".join(data.draw(st.lists(pool, max_size=25)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert list(lines_of_text(pieces, FRONTEND)) == list(lines_of_text(text, FRONTEND))


class Counting:
    """A front end that counts what it reads."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def normalise(self, text: str) -> str:
        return FRONTEND.normalise(text)

    def tokens(self, text: str) -> Tokens:
        self.read.append(text)
        return FRONTEND.tokens(text)


@pytest.mark.parametrize("ssml", [False, True])
def test_a_sentence_is_read_when_it_is_needed(ssml: bool) -> None:
    frontend = Counting()
    text = "One. Two. Three. Four."
    lines = lines_of_ssml(f"<speak>{text}</speak>", frontend) if ssml else lines_of_text(text, frontend)
    assert frontend.read == []
    next(lines)
    assert frontend.read == ["One.", "Two."]
    assert len(list(lines)) == 3 and len(frontend.read) == 4


def test_a_text_is_taken_as_it_comes() -> None:
    taken = []

    def endless() -> Iterator[str]:
        for number in range(10**9):
            taken.append(number)
            yield "It goes on and on, and nobody knows where it ends. "

    lines = lines_of_text(endless(), FRONTEND)
    assert [next(lines).tokens.words[0].text for _ in range(3)] == ["it"] * 3
    assert len(taken) < 8


def test_a_long_text_takes_no_more_memory() -> None:
    def peak_bytes(n_sentences: int) -> int:
        pieces = ("It goes on and on and on. " for _ in range(n_sentences))
        tracemalloc.start()
        for _ in lines_of_text(pieces, FRONTEND):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(20)
    assert peak_bytes(600) < 2 * peak_bytes(60)


@pytest.mark.parametrize("unit", ["word ", "7", "a", "Yes. ", "a\u200b", "\ud800 ", "so-", "\n\none"])
def test_time_is_linear(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length] + " end"
        start = time.process_time()
        list(lines_of_text(text, FRONTEND))
        return time.process_time() - start

    seconds(1000)
    short, long = min(seconds(2_000) for _ in range(3)), min(seconds(16_000) for _ in range(2))
    assert long < 0.1 or long < 24 * short


def test_random_unicode() -> None:
    chance = random.Random(7)
    for _ in range(150):
        text = "".join(chr(chance.choice([chance.randrange(0x110000), chance.randrange(0x250)])) for _ in range(80))
        try:
            check(list(lines_of_text(text, FRONTEND)))
        except DataError:
            continue
