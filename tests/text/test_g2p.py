"""Words that no lexicon lists: the shipped network, its file, and what it may never do."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.tts.g2p.dictionary import Dictionary, cmu_dictionary
from recipes.tts.g2p.errors import ErrorCount
from recipes.tts.g2p.score import by_rules
from speechkd.errors import ArtifactError, DataError
from speechkd.text.g2p import SHIPPED, G2p, english_g2p, letter_rows, one_primary, phones_of, say_word, tag_of
from speechkd.text.g2p_weights import quantised, read_weights
from speechkd.text.pronounce import Pronouncer
from speechkd.text.symbols import is_phone, is_vowel

PRONOUNCER = Pronouncer()
LETTERS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=60)


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    """The split that the shipped weights were trained with: the recipe's defaults."""
    return cmu_dictionary(2000, 5000, 0)


def bare(phones: tuple[str, ...]) -> str:
    return " ".join(phone.rstrip("012") for phone in phones)


def test_the_shipped_weights_are_small_and_say_what_they_are() -> None:
    _, card = read_weights(SHIPPED)
    assert SHIPPED.stat().st_size <= 3_000_000
    assert "BSD" in card.licence and "CMU" in card.data and card.recipe == "tts/g2p"


@pytest.mark.parametrize(
    ("word", "readings"),
    [
        ("wug", ["W AH G"]),
        ("glorp", ["G L AO R P"]),
        ("blicket", ["B L IH K AH T", "B L IH K IH T"]),
        ("frindle", ["F R IH N D AH L"]),
        ("tove", ["T OW V", "T AH V"]),
        ("borogove", ["B AO R AH G OW V", "B AO R OW G OW V", "B ER OW G OW V"]),
        ("quoxing", ["K W AA K S IH NG"]),
        ("phlight", ["F L AY T"]),
        ("knorp", ["N AO R P"]),
        ("splation", ["S P L EY SH AH N"]),
        ("zimmerite", ["Z IH M ER AY T"]),
        ("smeeching", ["S M IY CH IH NG"]),
    ],
)
def test_invented_words_are_said_as_a_reader_would(word: str, readings: list[str]) -> None:
    assert not PRONOUNCER.knows(word)
    assert bare(say_word(word)) in readings


def test_held_out_words_come_out_right(dictionary: Dictionary) -> None:
    """300 words of the recipe's test set, which the training has not seen; the letter rules beside them."""
    words = random.Random(0).sample(dictionary.splits["test"], 300)
    plain, stressed, rules = ErrorCount(stress=False), ErrorCount(stress=True), ErrorCount(stress=False)
    for word, phones in zip(words, english_g2p().say(words), strict=True):
        plain.add(phones, dictionary.words[word])
        stressed.add(phones, dictionary.words[word])
        rules.add(by_rules(word), dictionary.words[word])
    assert plain.phone_error <= 0.08 and plain.word_error <= 0.30
    assert stressed.phone_error <= 0.10 and stressed.word_error <= 0.36
    assert plain.phone_error < 0.6 * rules.phone_error


def test_a_word_is_said_alike_alone_and_among_others() -> None:
    words = ["glorp", "a", "frindlewaite", "o'glorp", "glorp"]
    together = english_g2p().say(words)
    assert together == [english_g2p().say([word])[0] for word in words]
    assert together == G2p.load().say(words)
    assert english_g2p().say([]) == []


@given(LETTERS)
@settings(max_examples=120, deadline=None)
def test_any_letters_have_phones_and_one_primary_stress(letters: str) -> None:
    said = PRONOUNCER.word(letters)
    assert said.phones and all(map(is_phone, said.phones))
    if said.source in ("g2p", "letters"):
        assert sum(phone.endswith("1") for phone in said.phones) == 1


@given(st.text(alphabet="aeiouy'bcdst", min_size=1, max_size=60))
@settings(max_examples=120, deadline=None)
def test_the_network_itself_gives_one_primary_stress_or_nothing(letters: str) -> None:
    phones = english_g2p().say([letters])[0]
    assert all(map(is_phone, phones))
    assert sum(phone.endswith("1") for phone in phones) == bool(phones)
    assert bool(phones) == any(map(is_vowel, phones))


def test_long_words_are_said_in_pieces() -> None:
    phones = english_g2p().say(["banana" * 500])[0]
    assert len(phones) > 2500 and sum(phone.endswith("1") for phone in phones) == 1


@pytest.mark.parametrize("word", ["", "Glorp", "glo-rp", "glörp", "glorp "])
def test_other_signs_are_refused(word: str) -> None:
    with pytest.raises(DataError, match="no word of letters"):
        english_g2p().say([word])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("K AE1 T", "K AE1 T"),
        ("B AE1 T M AE1 N", "B AE1 T M AE2 N"),
        ("AH0 B AW2 T", "AH0 B AW1 T"),
        ("AH0 B AW0 T", "AH0 B AW1 T"),
        ("B AH0 N AH0", "B AH1 N AH0"),
        ("S T", ""),
        ("", ""),
    ],
)
def test_one_primary_stress(before: str, after: str) -> None:
    assert " ".join(one_primary(before.split())) == after


def test_rows_of_letters() -> None:
    rows = letter_rows(["ab", "z'"])
    assert rows.tolist() == [[1, 2, 3, 1], [1, 27, 28, 1]]
    assert letter_rows(["a", "abc"])[0].tolist() == [1, 2, 1, 0, 0]


def test_tags_and_phones() -> None:
    for tag, phones in (("-", ()), ("K", ("K",)), ("K+S", ("K", "S"))):
        assert phones_of(tag) == phones and tag_of(phones) == tag


def test_eight_bits_are_near() -> None:
    matrix = np.random.default_rng(0).normal(size=(7, 50)).astype(np.float32)
    matrix[3] = 0
    whole, scale = quantised(matrix)
    assert whole.dtype == np.int8 and scale.shape == (7, 1)
    assert (np.abs(whole * scale - matrix) <= scale * 0.5 + 1e-6).all()
    assert np.abs(whole[0]).max() == 127


def copied(folder: Path) -> Path:
    for path in (SHIPPED, SHIPPED.with_suffix(".json")):
        shutil.copy(path, folder)
    return folder / SHIPPED.name


@pytest.mark.parametrize("cut", [0, 100, 1_000_000])
def test_a_cut_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = copied(tmp_path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ArtifactError, match="digest is not the recorded one"):
        G2p.load(path)


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = copied(tmp_path)
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="digest"):
        G2p.load(path)


@pytest.mark.parametrize("missing", [".safetensors", ".json"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    path = copied(tmp_path)
    path.with_suffix(missing).unlink()
    with pytest.raises(ArtifactError, match=f"english_g2p{missing}"):
        G2p.load(path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"hidden": 96}, "not those that the card describes"),
        ({"layers": 3}, "not those that the card describes"),
        ({"format": 2}, "another format"),
        ({"letters": "abc"}, "another format"),
        ({"tags": ["-", "QQ"]}, "another format"),
        ({"tags": "K"}, "tags"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_changed_card_is_refused(tmp_path: Path, change: dict[str, object], why: str) -> None:
    path = copied(tmp_path)
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | change))
    with pytest.raises(ArtifactError, match=why):
        G2p.load(path)


def test_no_json_at_all(tmp_path: Path) -> None:
    path = copied(tmp_path)
    path.with_suffix(".json").write_bytes(b"\xff{")
    with pytest.raises(ArtifactError, match="cannot be read"):
        G2p.load(path)
