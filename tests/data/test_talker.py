"""The generated talking mouth: the same by seed, and ambiguous where it is meant to be."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from speechkd.data.talker import (
    SLOTS,
    VISEMES,
    draw_mouths,
    letter_frames,
    speaker_mouth,
    talker_film,
    talker_rng,
    talker_sentence,
    viseme_track,
)


def picture(letter: str) -> np.ndarray:
    return draw_mouths(viseme_track(letter, np.array([1])), speaker_mouth("t0"))[0]


@pytest.mark.parametrize("letters", VISEMES)
def test_letters_of_one_viseme_look_alike(letters: str) -> None:
    assert all(np.array_equal(picture(letters[0]), picture(letter)) for letter in letters)


def test_letters_of_two_visemes_do_not() -> None:
    for one, other in combinations(VISEMES, 2):
        difference = picture(one[0]).astype(int) - picture(other[0])
        assert np.abs(difference).max() > 20, (one, other)


def test_every_letter_has_one_viseme() -> None:
    assert sorted("".join(VISEMES)) == sorted("abcdefghijklmnopqrstuvwxyz ") and len(VISEMES) == 12


def test_a_film_is_that_of_its_seed() -> None:
    film = talker_film("a", "bin blue", "t0", seed=1)
    assert np.array_equal(film, talker_film("a", "bin blue", "t0", seed=1))
    other = talker_film("a", "bin blue", "t0", seed=2)
    assert film.shape != other.shape or not np.array_equal(film, other)
    assert film.dtype == np.uint8 and film.shape[1:] == (24, 24) and 16 <= len(film) <= 32


def test_two_to_four_frames_a_letter() -> None:
    frames = [letter_frames(200, talker_rng(seed, "x")) for seed in range(30)]
    assert {int(each) for row in frames for each in row} == {2, 3, 4}
    assert len({round(float(row.mean())) for row in frames}) > 1  # the rate is the clip's own


def test_sentences_follow_the_grammar() -> None:
    said = [talker_sentence(talker_rng(seed, "s")).split() for seed in range(600)]
    assert [{words[place] for words in said} for place in range(6)] == [set(slot) for slot in SLOTS]
    assert sum(map(len, SLOTS)) == 51


def test_noise_and_shift_are_as_asked() -> None:
    clean = talker_film("a", "bin", "t0", noise=0, shift_px=0)
    noisy = talker_film("a", "bin", "t0", noise=5, shift_px=0)
    assert abs(float(np.std(noisy.astype(int) - clean)) - 5) < 0.3
    assert not np.array_equal(clean, talker_film("a", "bin", "t0", noise=0, shift_px=3))
