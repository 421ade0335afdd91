"""Sentences longer than any that was heard are cut at pauses, and nothing of them is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechkd.synthesis import Voice, load_voice
from speechkd.text import EnglishFrontend, Tokens, Word
from speechkd.text.long_text import MOST_TOKENS, cut_long, cut_words
from speechkd.text.symbols import PAUSES_BY_STRENGTH
from speechkd.text.tokens import lay_out
from tests.synthesis.standin import STAND_INS, pack

WORDS = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(PAUSES_BY_STRENGTH)), min_size=1, max_size=60)


def tokens_of(spec: list[tuple[int, str]]) -> Tokens:
    words = [Word(f"w{place}", ("AH0",) * size, "lexicon") for place, (size, _) in enumerate(spec)]
    return lay_out(words, [pause for _, pause in spec])


@given(WORDS, st.integers(12, 60))
@settings(deadline=None)
def test_pieces_fit_and_hold_all_words(spec: list[tuple[int, str]], most: int) -> None:
    tokens = tokens_of(spec)
    pieces = cut_long(tokens, most)
    assert [word for piece in pieces for word in piece.words] == list(tokens.words)
    assert all(len(piece) <= most for piece in pieces)
    if len(tokens) <= most:
        assert pieces == [tokens]
    for piece in pieces:
        assert piece.symbols[0] == "^" and piece.symbols[-1] in ".?!"


def test_a_cut_is_at_the_strongest_pause_of_the_second_half() -> None:
    # Words of three phones and a pause: four tokens each, ten in a piece of 41.
    pauses = ["|"] * 20
    pauses[2], pauses[6], pauses[8] = ";", ",", "|"
    pieces = cut_long(tokens_of([(3, pause) for pause in pauses]), 41)
    assert [len(piece.words) for piece in pieces] == [7, 10, 3]
    assert [len(piece.words) for piece in cut_long(tokens_of([(3, "|")] * 20), 41)] == [10, 10]


def test_a_word_too_long_for_a_piece_is_a_piece() -> None:
    pieces = cut_long(tokens_of([(2, "|"), (40, ","), (2, "|")]), 12)
    assert [len(piece.words) for piece in pieces] == [1, 1, 1]


def test_the_last_piece_ends_as_the_sentence_does() -> None:
    words = [Word(f"w{place}", ("AH0",) * 3, "lexicon") for place in range(20)]
    tokens = lay_out(words, ["|"] * 20, open_end=True)
    assert [piece.symbols[-1] for piece in cut_long(tokens, 41)] == [".", ","]


def test_later_pieces_may_be_longer() -> None:
    assert [len(piece.words) for piece in cut_long(tokens_of([(3, "|")] * 30), 21, 41)] == [5, 10, 10, 5]


@given(st.lists(st.tuples(st.integers(1, 300), st.sampled_from(PAUSES_BY_STRENGTH)), min_size=1, max_size=8))
@settings(deadline=None)
def test_endless_words_come_as_several(spec: list[tuple[int, str]]) -> None:
    words = [Word("abcde" * 20, ("AH0", "B") * size, "letters") for size, _ in spec]
    tokens = lay_out(words, [pause for _, pause in spec])
    cut = cut_words(tokens)
    assert [s for s in cut.symbols if s != "|"] == [s for s in tokens.symbols if s != "|"]
    assert max(len(word.phones) for word in cut.words) <= 60
    assert "".join(word.text for word in cut.words) == "".join(word.text for word in words)
    if max(size for size, _ in spec) <= 30:
        assert cut is tokens


@pytest.mark.parametrize(("pause", "last"), [("|", ","), (",", ","), (";", ";"), (".", "."), ("?", "?")])
def test_a_sentence_may_be_left_open(pause: str, last: str) -> None:
    word = Word("a", ("AH0",), "lexicon")
    assert lay_out([word], [pause], open_end=True).symbols == ("^", "AH0", last)
    assert lay_out([word], [pause]).symbols[-1] == (last if last in ".?" else ".")


def test_a_voice_speaks_all_words_of_an_endless_sentence(tmp_path) -> None:
    pack(tmp_path / "voice")
    voice: Voice = load_voice(tmp_path / "voice", STAND_INS)
    text = " ".join(["and so it went on, day after day"] * 12)
    assert len(EnglishFrontend().tokens(text)) > MOST_TOKENS
    pieces = voice.sentences(text)
    assert 1 < len(pieces) < 6
    assert all(len(piece) <= MOST_TOKENS for piece in pieces)
    assert [word.text for word in voice.synthesize(text).words] == text.replace(",", "").split()


@pytest.mark.parametrize("text", ["Did it? Yes.", "It was, they said, a long and quiet evening by the river."])
def test_sentences_of_common_length_are_left_alone(tmp_path, text: str) -> None:
    pack(tmp_path / "voice")
    voice = load_voice(tmp_path / "voice", STAND_INS)
    assert all(len(piece) < MOST_TOKENS for piece in voice.sentences(text))
    assert len(voice.sentences(text)) == 2 - ("river" in text)
