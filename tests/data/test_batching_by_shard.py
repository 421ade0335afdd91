"""Batches for a corpus that is read shard by shard: complete, within limits, and near each other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechkd.data.batching import plan_batches, plan_batches_by_shard
from speechkd.errors import DataError


def corpus(n_items: int, shard_size: int) -> tuple[dict[str, int], dict[str, list[str]]]:
    ids = [f"u{index:05d}" for index in range(n_items)]
    lengths = {id_: 20 + (index * 7919) % 80 for index, id_ in enumerate(ids)}
    starts = range(0, n_items, shard_size)
    return lengths, {f"shard-{i:05d}": ids[start : start + shard_size] for i, start in enumerate(starts)}


@settings(max_examples=40, deadline=None)
@given(n_items=st.integers(1, 200), shard_size=st.integers(1, 20), window=st.integers(1, 12), seed=st.integers(0, 9))
def test_each_once_and_only_a_window_at_a_time(n_items: int, shard_size: int, window: int, seed: int) -> None:
    lengths, shards = corpus(n_items, shard_size)
    batches = plan_batches_by_shard(lengths, shards, 400, seed, 3, window)
    assert sorted(id_ for batch in batches for id_ in batch) == sorted(lengths)
    assert all(len(batch) * max(lengths[id_] for id_ in batch) <= 400 for batch in batches)
    home = {id_: name for name, ids in shards.items() for id_ in ids}
    first, last = {}, {}
    for place, batch in enumerate(batches):
        for id_ in batch:
            first.setdefault(home[id_], place)
            last[home[id_]] = place
    in_use = [sum(first[name] <= place <= last[name] for name in shards) for place in range(len(batches))]
    assert max(in_use) <= window


def test_a_pure_function_that_differs_between_epochs() -> None:
    lengths, shards = corpus(300, 16)
    plans = [plan_batches_by_shard(lengths, shards, 800, 1, epoch, 4) for epoch in (0, 0, 1)]
    assert plans[0] == plans[1] != plans[2]


def test_one_window_over_all_is_the_plain_plan() -> None:
    lengths, shards = corpus(100, 16)
    assert plan_batches_by_shard(lengths, shards, 800, 1, 0, 100) == plan_batches(lengths, 800, 1, 0)


def test_what_is_in_no_shard_is_told() -> None:
    lengths, shards = corpus(100, 16)
    with pytest.raises(DataError, match="in no shard: 4 of 100"):
        plan_batches_by_shard(lengths, dict(list(shards.items())[:-1]), 800, 1, 0)
    part = {id_: lengths[id_] for id_ in list(lengths)[:10]}
    assert sum(map(len, plan_batches_by_shard(part, shards, 800, 1, 0))) == 10
