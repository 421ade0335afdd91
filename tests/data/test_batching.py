"""Batches: every id once, never too big, the same for the same seed and epoch, close in length, and hardly padded."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechkd.data.batching import plan_batches
from speechkd.errors import DataError

lengths_of = st.dictionaries(st.text(min_size=1, max_size=6), st.integers(1, 900), max_size=60)


@given(lengths=lengths_of, max_frames=st.integers(900, 5000), seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_every_id_once_and_never_too_big(lengths: dict[str, int], max_frames: int, seed: int, epoch: int) -> None:
    batches = plan_batches(lengths, max_frames, seed, epoch)
    assert sorted(itertools.chain(*batches)) == sorted(lengths)
    assert all(len(batch) * max(lengths[name] for name in batch) <= max_frames for batch in batches)
    shuffled = list(lengths.items())
    random.Random(seed).shuffle(shuffled)
    assert plan_batches(dict(shuffled), max_frames, seed, epoch) == batches


def test_epochs_differ_in_order_and_in_company() -> None:
    rng = random.Random(0)
    lengths = {f"u{i}": rng.randrange(100, 800) for i in range(300)}
    first, second = plan_batches(lengths, 8000, 1, 0), plan_batches(lengths, 8000, 1, 1)
    assert first != second
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}
    assert plan_batches(lengths, 8000, 2, 0) != first


def test_padding_is_small() -> None:
    rng = random.Random(0)
    lengths = {f"u{i}": rng.randrange(100, 800) for i in range(2000)}
    batches = plan_batches(lengths, 12000, 0, 0)
    padded = sum(len(batch) * max(lengths[name] for name in batch) for batch in batches)
    assert padded / sum(lengths.values()) < 1.12
    assert padded / (12000 * len(batches)) > 0.9
    sizes = [max(lengths[name] for name in batch) for batch in batches]
    assert sizes != sorted(sizes)  # not from short to long


def test_too_long_utterances_are_named() -> None:
    with pytest.raises(DataError, match="2 utterances are longer than a batch of 100 frames.*b has 101 frames, c has"):
        plan_batches({"a": 100, "b": 101, "c": 500}, 100, 0, 0)
    with pytest.raises(DataError, match="without frames.*z"):
        plan_batches({"z": 0}, 100, 0, 0)
