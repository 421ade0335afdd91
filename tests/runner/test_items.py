"""What is written comes back, the same items give the same bytes, and damage is told."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from speechkd.errors import ArtifactError, DataError
from speechkd.runner import ItemStore, ItemWriter
from speechkd.runner.items import open_store

arrays = st.dictionaries(
    st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=5),
    hnp.arrays(
        st.sampled_from(["f4", "f8", "i8", "i4", "u1", "?", "f2", ">i4"]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
    ),
    max_size=3,
)  # fmt: skip
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
meta = st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=5) | st.none(), max_size=3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(items=st.dictionaries(ids, st.tuples(arrays, meta), max_size=8), size=st.integers(1, 4))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, items: dict[str, Any], size: int) -> None:
    folder = tmp_path_factory.mktemp("store")
    for name, order in (("a", list(items)), ("b", list(reversed(items)))):
        with ItemWriter(folder / name, size) as writer:
            for item_id in order:
                writer.add(item_id, *items[item_id])
    store = ItemStore(folder / "a")
    assert list(store.ids) == sorted(items) == list(store) and len(store) == len(items)
    for item_id, (wanted, wanted_meta) in items.items():
        assert store.meta(item_id) == wanted_meta and item_id in store
        found = store.arrays(item_id)
        assert set(found) == set(wanted)
        for name, array in wanted.items():
            assert found[name].dtype == array.dtype.newbyteorder("<") and found[name].shape == array.shape
            np.testing.assert_array_equal(found[name], array)
    names = sorted(path.name for path in (folder / "a").iterdir())
    assert names == sorted(path.name for path in (folder / "b").iterdir())
    assert all((folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes() for name in names)


@pytest.fixture
def store_folder(tmp_path: Path) -> Path:
    with ItemWriter(tmp_path / "s", 2) as writer:
        for index in range(5):
            writer.add(f"id/{index}", {"x": np.full(3, index, np.float32)}, {"n": index})
        writer.error("bad", "why")
    return tmp_path / "s"


def test_shards_are_plain_safetensors(store_folder: Path) -> None:
    """An independent reader sees the same arrays."""
    raw = safetensors.numpy.load_file(store_folder / "shard-00001.safetensors")
    assert {name: float(array[0]) for name, array in raw.items()} == {"id/2/x": 2.0, "id/3/x": 3.0}
    lines = (store_folder / "shard-00001.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["id/2", "id/3"]
    assert ItemStore(store_folder).errors == [("bad", "why")]


def test_views_are_stored_as_they_look(tmp_path: Path) -> None:
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    with ItemWriter(tmp_path) as writer:
        writer.add("a", {"t": base.T, "step": base[:, ::2], "back": base[::-1]})
    store = ItemStore(tmp_path)
    np.testing.assert_array_equal(store.array("a", "t"), base.T)
    np.testing.assert_array_equal(store.array("a", "step"), base[:, ::2])
    np.testing.assert_array_equal(store.array("a", "back"), base[::-1])


def test_a_store_can_be_sent_to_a_process(store_folder: Path) -> None:
    store = ItemStore(store_folder)
    store.array("id/0", "x")
    again = copy.deepcopy(store)  # takes apart and puts together as sending does
    assert again.ids == store.ids and float(again.array("id/4", "x")[0]) == 4


@pytest.mark.parametrize(
    ("arrays", "meta"),
    [
        ({"x": np.array([object()])}, {}),
        ({"x": np.array(["text"])}, {}),
        ({"a/b": np.zeros(1)}, {}),
        ({"": np.zeros(1)}, {}),
        ({}, {"x": float("nan")}),
        ({}, {"x": {1, 2}}),
    ],
)
def test_what_cannot_be_stored_is_refused(tmp_path: Path, arrays: Any, meta: Any) -> None:
    writer = ItemWriter(tmp_path)
    writer.add("a", arrays, meta)
    with pytest.raises((TypeError, ValueError)):
        writer.close()
    assert not (tmp_path / "items.json").exists()


def test_ids_occur_once_and_a_failing_block_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a: the id occurs twice"), ItemWriter(tmp_path) as writer:
        [writer.add("a") for _ in range(2)]
    assert not list(tmp_path.iterdir())


def test_items_in_order_are_not_held(tmp_path: Path) -> None:
    """Each shard is on disk as soon as it is full, and the bytes are those of the other way."""
    for name, in_order in (("a", True), ("b", False)):
        with ItemWriter(tmp_path / name, 2, in_order) as writer:
            for index in range(5):
                writer.add(f"{index}", {"x": np.full(2, index)}, {"n": index})
                written = sorted(path.name for path in (tmp_path / name).glob("*.jsonl"))
                assert written == ([f"shard-{i:05d}.jsonl" for i in range((index + 1) // 2)] if in_order else [])
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert all((tmp_path / "a" / each).read_bytes() == (tmp_path / "b" / each).read_bytes() for each in files)
    writer = ItemWriter(tmp_path / "c", 2, in_order=True)
    writer.add("b")
    writer.add("c")
    with pytest.raises(DataError, match="a: the items are not in order: it comes after c"):
        writer.add("a")
    with pytest.raises(DataError, match="c: the id occurs twice"):
        writer.add("c")


def test_the_first_format_is_read(store_folder: Path) -> None:
    """Stores of the first runs named all ids in items.json."""
    store = ItemStore(store_folder)
    old = {"format": 1, "shards": store.shards()}
    (store_folder / "items.json").write_text(json.dumps(old))
    (store_folder / "ids.jsonl").unlink()
    again = ItemStore(store_folder)
    assert again.ids == store.ids and again.meta("id/3") == {"n": 3} and "id/4" in again and "id/5" not in again


def test_a_store_is_opened_once_and_anew_when_it_changes(store_folder: Path) -> None:
    first = open_store(store_folder)
    assert open_store(store_folder) is first
    (store_folder / "items.json").unlink()
    with ItemWriter(store_folder, 8) as writer:
        writer.add("other")
    assert open_store(store_folder).ids == ("other",)


def test_a_store_travels_as_its_folder(tmp_path: Path) -> None:
    """What is sent with every task must not grow with the corpus."""
    sizes = []
    for n_items in (10, 1000):
        with ItemWriter(tmp_path / str(n_items)) as writer:
            for index in range(n_items):
                writer.add(f"{index:06d}")
        sizes.append(len(pickle.dumps(ItemStore(tmp_path / str(n_items)))))
    assert sizes[1] - sizes[0] < 10


def test_unknown_things_are_named(store_folder: Path) -> None:
    store = ItemStore(store_folder)
    with pytest.raises(DataError, match="nobody"):
        store.meta("nobody")
    for name in ("", "id/1a", "zzz"):
        assert name not in store
        with pytest.raises(DataError, match="no such item"):
            store.arrays(name)
        with pytest.raises(DataError, match="no such item"):
            store.array(name, "x")
    with pytest.raises(ArtifactError, match="no array y"):
        store.array("id/1", "y")


@pytest.mark.parametrize("name", ["items.json", "shard-00001.jsonl", "shard-00001.safetensors"])
@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[1]", b"\xff\xfe", b'{"format": 3, "shards": {}}', b'{"a": 1}\n', None]
)
def test_damage_is_an_artifact_error(store_folder: Path, name: str, damage: bytes | None) -> None:
    path = store_folder / name
    path.unlink() if damage is None else path.write_bytes(damage)

    def read_all() -> None:
        store = ItemStore(store_folder)
        store.meta("id/2")
        store.array("id/2", "x")

    with pytest.raises(ArtifactError, match=str(store_folder)):
        read_all()
