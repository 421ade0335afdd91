"""Splits by speaker and the corpus's own: unseen voices, no shared sentence, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechkd.data.corpus import Utterance
from speechkd.data.splits import same_words, split_by_speaker, split_officially
from speechkd.errors import DataError


def spoken(speaker: str, text: str, part: str = "") -> Utterance:
    return Utterance(f"{speaker}-{text.replace(' ', '_')}", text, Path("a.wav"), 1, speaker=speaker, part=part)


def readings(n_speakers: int, n_shared: int, n_own: int) -> list[Utterance]:
    """Like VCTK: everybody reads the same first sentences and then some of their own."""
    return [
        spoken(f"p{s}", f"shared {i}" if i < n_shared else f"own {s} {i}")
        for s in range(n_speakers)
        for i in range(n_shared + n_own)
    ]


@given(n_speakers=st.integers(3, 8), n_shared=st.integers(0, 5), n_held=st.integers(1, 4), seed=st.integers(0, 99))
def test_unseen_speakers_and_sentences(n_speakers: int, n_shared: int, n_held: int, seed: int) -> None:
    utterances = readings(n_speakers, n_shared, 4)
    parts = split_by_speaker(utterances, n_held, n_held, seed)
    by_id = {each.id: each for each in utterances}
    assert sorted(id_ for ids in parts.values() for id_ in ids) == sorted(by_id)
    assert (len(parts["valid"]), len(parts["test"])) == (n_held, n_held)
    speakers = [{by_id[id_].speaker for id_ in parts[part]} for part in ("train", "valid", "test")]
    assert [len(each) for each in speakers] == [n_speakers - 2, 1, 1] and len(set().union(*speakers)) == n_speakers
    words = [{same_words(by_id[id_].text) for id_ in parts[part]} for part in ("train", "valid", "test")]
    assert not (words[0] & words[1] or words[0] & words[2] or words[1] & words[2])
    assert split_by_speaker(utterances[::-1], n_held, n_held, seed) == parts


def test_more_speakers_a_side() -> None:
    utterances = readings(6, 0, 3)
    parts = split_by_speaker(utterances, 5, 5, seed=1, n_speakers=2)
    by_id = {each.id: each.speaker for each in utterances}
    assert [len({by_id[id_] for id_ in parts[part]}) for part in ("train", "valid", "test")] == [2, 2, 2]
    assert len(parts["left_out"]) == 2


def test_too_few_speakers_or_sentences() -> None:
    with pytest.raises(DataError, match="by speaker"):
        split_by_speaker(readings(2, 0, 9), 1, 1, 0)
    with pytest.raises(DataError, match=r"Cannot hold out 3 utterances for test"):
        split_by_speaker(readings(4, 5, 2), 3, 3, 0)


def test_official_parts_lose_what_both_sides_say() -> None:
    utterances = [
        spoken("a", "one", "train"),
        spoken("a", "Two!", "train"),
        spoken("b", "two", "test"),
        spoken("c", "three", "valid"),
        spoken("d", "four"),
    ]
    assert split_officially(utterances) == {
        "train": ["a-one"],
        "valid": ["c-three"],
        "test": ["b-two"],
        "left_out": ["a-Two!", "d-four"],
    }
    with pytest.raises(DataError, match="no utterance is marked as train or valid"):
        split_officially(utterances[2:3])
