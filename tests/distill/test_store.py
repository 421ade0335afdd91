"""Stored targets: those that a live teacher gives, of the right items, of the right teacher and manifest."""

from __future__ import annotations

import copy
import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from speechkd.distill.fingerprint import fingerprint
from speechkd.distill.store import TargetStore, target_arrays, write_description
from speechkd.distill.targets import TargetSpec
from speechkd.distill.teacher import StoredTargets
from speechkd.errors import ArtifactError, DataError, StageError
from speechkd.runner import Item, ItemWriter, artifact_digests
from speechkd.training.loop import fit
from tests.distill import toy
from tests.distill.conftest import run


def manifest_digest(folder: Path) -> str:
    return artifact_digests(toy.TOY, folder)["manifest"].sha256


def write(folder: Path, items: dict[str, dict[str, Any]], specs: list[TargetSpec], who: str = "me") -> TargetStore:
    with ItemWriter(folder) as writer:
        for item_id, arrays in items.items():
            writer.add(item_id, arrays)
    write_description(folder, specs, "manifest", who)
    return TargetStore.open(folder)


def test_stored_targets_are_the_live_ones_to_the_last_bit(made: Path) -> None:
    store = TargetStore.open(
        made / "targets", manifest_digest=manifest_digest(made), teacher=fingerprint(made / "teacher")
    )
    stored, live = StoredTargets(store), toy.live(made / "teacher")
    assert store.ids == tuple(toy.IDS) and stored.fingerprint == live.fingerprint and stored.specs == live.specs
    for each in toy.IDS:
        batch = toy.batch_of([each])
        found, expected = stored.targets(batch), live.targets(batch)
        assert found.keys() == expected.keys() == {"mel", "logits", "mark"}
        for name, tensor in expected.items():
            assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)
        assert store.meta(each) == {"n_frames": int(batch.lengths[0])}
    other = toy.live(made / "teacher").targets(toy.batch_of(toy.IDS[:1]))["logits"]
    assert not torch.equal(other, stored.targets(toy.batch_of(toy.IDS[1:2]))["logits"])


def test_two_workers_store_the_same_bytes(made: Path, tmp_path: Path) -> None:
    two = run(tmp_path / "two", jobs=2)
    assert artifact_digests(toy.TOY, two) == artifact_digests(toy.TOY, made)


def test_a_batch_is_padded_with_zeros_and_in_its_own_order(made: Path) -> None:
    stored = StoredTargets(TargetStore.open(made / "targets"))
    ids = ["item07", "item03", "item20", "item03"]
    found = stored.targets(toy.batch_of(ids))
    lengths = [3 + toy.mark(each) % 7 for each in ids]
    assert (
        found["mel"].shape == (4, max(lengths), 3) and found["logits"].shape == (4, 5) and found["mark"].shape == (4,)
    )
    for row, (each, length) in enumerate(zip(ids, lengths, strict=True)):
        alone = stored.targets(toy.batch_of([each]))
        assert torch.equal(found["mel"][row, :length], alone["mel"][0])
        assert not found["mel"][row, length:].any()
        assert found["mark"][row] == toy.mark(each)
    assert found["mel"][3, : lengths[3]].equal(found["mel"][1, : lengths[1]])


@pytest.mark.parametrize("cache_bytes", [0, 300, 1500, 2**20])
def test_a_bounded_cache_changes_nothing(made: Path, cache_bytes: int) -> None:
    store = TargetStore.open(made / "targets")
    stored, draw = StoredTargets(store, cache_bytes), random.Random(1)
    for _ in range(30):
        ids = draw.sample(toy.IDS, 5)
        found = stored.targets(toy.batch_of(ids))
        assert found["mark"].tolist() == [toy.mark(each) for each in ids]
        for row, each in enumerate(ids):
            assert np.array_equal(found["logits"][row].numpy(), store.arrays(each)["logits"])
        held = sum(array.nbytes for item in stored._cache._items.values() for array in item.values())
        assert held == stored._cache.n_bytes <= cache_bytes
        # What is held is what was read last.
        last = [each for each in ids if each in stored._cache._items]
        assert last == ids[len(ids) - min(len(ids), len(stored._cache._items)) :]


class Loading(torch.utils.data.Dataset[Any]):
    """Batches with their targets, read in worker processes."""

    def __init__(self, teacher: StoredTargets, batches: list[list[str]]) -> None:
        self.teacher, self.batches = teacher, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[list[str], Any]:
        batch = toy.batch_of(self.batches[index])
        return batch.ids, self.teacher.targets(batch)


def test_two_processes_read_what_one_reads(made: Path) -> None:
    """The workers are forked after the store was read here: its open files must not be shared by position."""
    stored, draw = StoredTargets(TargetStore.open(made / "targets")), random.Random(2)
    batches = [draw.sample(toy.IDS, 7) for _ in range(40)]
    expected = [stored.targets(toy.batch_of(ids)) for ids in batches]
    sent = copy.deepcopy(stored)  # takes apart and puts together as sending does
    assert sent.fingerprint == stored.fingerprint and not sent._cache._items
    loader = DataLoader(Loading(sent, batches), batch_size=None, num_workers=2)
    n_read = 0
    for (ids, found), wanted_ids, wanted in zip(loader, batches, expected, strict=True):
        assert ids == wanted_ids and found["mark"].tolist() == [toy.mark(each) for each in ids]
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)
        n_read += 1
    assert n_read == 40


def train(folder: Path, manifest: str, teacher: str, work: Path, watch: toy.Watch) -> None:
    """What a train stage does."""
    store = TargetStore.open(folder, manifest_digest=manifest, teacher=teacher)
    store.require(toy.IDS)
    fit(toy.StudentTask(toy.objective(1.0), StoredTargets(store)), toy.options(max_steps=4), work, watch)


def test_targets_of_another_manifest_or_teacher_are_refused_before_the_first_step(made: Path, tmp_path: Path) -> None:
    manifest, teacher, watch = manifest_digest(made), fingerprint(made / "teacher"), toy.Watch()
    other = run(tmp_path / "seed", seed=6)
    fewer = run(tmp_path / "fewer", n_items=38)
    wrong = [
        (made / "targets", manifest, fingerprint(other / "teacher"), "another teacher"),
        (other / "targets", manifest, teacher, "another teacher"),
        (made / "targets", manifest_digest(fewer), teacher, "another manifest"),
        (fewer / "targets", manifest_digest(fewer), teacher, "item38, item39"),
    ]
    for folder, its_manifest, its_teacher, says in wrong:
        with pytest.raises(ArtifactError, match=says) as caught:
            train(folder, its_manifest, its_teacher, tmp_path / "work", watch)
        assert caught.value.where == str(folder)
        assert caught.value.todo and caught.value.todo.startswith("Run the stage that makes the targets again, or ")
    assert watch.steps == [] and not (tmp_path / "work").exists()
    train(made / "targets", manifest, teacher, tmp_path / "work", watch)
    assert watch.steps == [1, 2, 3, 4]


def test_a_fingerprint_is_that_of_description_and_weights(made: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(made / "teacher", tmp_path / "copy")
    (copy / "history.jsonl").write_text("{}")
    assert fingerprint(copy) == fingerprint(made / "teacher")
    (copy / "head.json").write_text("[0, 1]")
    with_head = fingerprint(copy, also=("head.json",))
    assert with_head != fingerprint(copy)
    (copy / "head.json").write_text("[1, 1]")
    assert fingerprint(copy, also=("head.json",)) != with_head
    toy.save(copy, toy.Network(16, seed=6), 16)
    assert fingerprint(copy) != fingerprint(made / "teacher")
    with pytest.raises(ArtifactError, match=r"a file of the model is missing"):
        fingerprint(copy, also=("nothing.json",))
    (copy / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"no model: there is no \*.safetensors"):
        fingerprint(copy)


def test_an_unknown_id_is_named(made: Path) -> None:
    stored = StoredTargets(TargetStore.open(made / "targets"))
    with pytest.raises(DataError, match="item99"):
        stored.targets(toy.batch_of(["item01", "item99"]))
    with pytest.raises(StageError, match="no `ids`"):
        stored.targets({"x": torch.zeros(2)})


def test_items_that_are_not_what_the_specs_say_are_refused(tmp_path: Path) -> None:
    spec = TargetSpec("logits", ("class",), "float32", "me")
    for number, array in enumerate([np.zeros(5), np.zeros((1, 5), np.float32), np.float32(1.0)]):
        with pytest.raises(ArtifactError, match=r"target logits should be \(class\) float32, and is float"):
            write(tmp_path / str(number), {"a": {"logits": array}}, [spec])
    with pytest.raises(ArtifactError, match="item a has no array logits"):
        write(tmp_path / "none", {"a": {"other": np.zeros(5)}}, [spec])
    with pytest.raises(ValueError, match="made by you, not by me"):
        write(tmp_path / "other", {"a": {"logits": np.zeros(5, np.float32)}}, [spec.by("you")])
    # One shard is checked when it is written by its first item; the others when they are read.
    store = write(tmp_path / "late", {"a": {"logits": np.zeros(5, np.float32)}, "b": {"logits": np.zeros(5)}}, [spec])
    with pytest.raises(ArtifactError, match=r"late b.*float64"):
        store.arrays("b")


def test_sizes_may_differ_along_tokens_and_frames_only(tmp_path: Path) -> None:
    specs = [TargetSpec("top", ("token", "top_k"), "int32", "me"), TargetSpec("n", (), "float16", "me")]
    items = {
        "a": {"top": np.ones((2, 3), np.int32), "n": np.float16(0.1)},
        "b": {"top": np.ones((5, 3), np.int32), "n": np.float16(2)},
        "c": {"top": np.ones((2, 4), np.int32), "n": np.float16(3)},
    }
    stored = StoredTargets(write(tmp_path, items, specs))
    batch = {"ids": ["b", "a"], "device": "cpu"}
    found = stored.targets(batch)
    assert found["top"].shape == (2, 5, 3) and found["top"].dtype == torch.int32 and found["top"].sum() == 21
    assert found["n"].tolist() == [2.0, float(np.float16(0.1))] and found["n"].dtype == torch.float16
    with pytest.raises(ArtifactError, match="a: target top has 3 along top_k, others of its batch have 4"):
        stored.targets({"ids": ["c", "a"], "device": "cpu"})


def test_the_description_is_read_with_care(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made / "targets", tmp_path / "targets")
    good = json.loads((folder / "targets.json").read_text())
    assert str(tmp_path) not in (folder / "targets.json").read_text()
    bad = ["", "[]", "{}", json.dumps(good | {"format": 2}), json.dumps(good | {"targets": [{"name": "x"}]})]
    bad.append(json.dumps(good | {"targets": [{"axes": ["sideways"], "dtype": "float32", "name": "x"}]}))
    for text in bad:
        (folder / "targets.json").write_text(text)
        with pytest.raises(ArtifactError, match=r"not a target store.*Run the stage"):
            TargetStore.open(folder)
    (folder / "targets.json").unlink()
    with pytest.raises(ArtifactError, match="not a target store"):
        TargetStore.open(folder)


def test_a_row_of_a_live_batch_becomes_an_item(made: Path) -> None:
    live = toy.live(made / "teacher")
    given = live.targets(toy.batch_of(["item01"]))
    item = Item(target_arrays(given, live.specs))
    assert item.arrays["mark"].shape == () and int(item.arrays["mark"]) == toy.mark("item01")
    assert item.arrays["mel"].shape == tuple(given["mel"].shape[1:])
    with pytest.raises(StageError, match="not made: mark"):
        target_arrays({"mel": given["mel"], "logits": given["logits"]}, live.specs)
