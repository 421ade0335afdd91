"""Distillation through the real training loop: targets never go to another item, and weight 0 is plain training."""

from __future__ import annotations

import shutil
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from speechkd.distill.fingerprint import fingerprint
from speechkd.distill.schedules import During, Ramp
from speechkd.distill.store import TargetStore, write_description
from speechkd.distill.teacher import StoredTargets, Teacher
from speechkd.runner import ItemWriter
from speechkd.training.checkpoint import checkpoints
from speechkd.training.loop import fit
from tests.distill import toy


def last_state(folder: Path) -> dict[str, bytes]:
    """Every byte of the newest checkpoint: weights, optimiser, best, progress."""
    return {path.name: path.read_bytes() for path in checkpoints(folder)[-1].iterdir()}


def teacher_of(made: Path, kind: str) -> Teacher:
    return toy.live(made / "teacher") if kind == "live" else StoredTargets(TargetStore.open(made / "targets"))


@pytest.mark.parametrize("kind", ["stored", "live"])
def test_a_resumed_run_is_the_same_run_and_pairs_every_target_with_its_item(
    made: Path, tmp_path: Path, kind: str
) -> None:
    """`mel_term` compares the name on every target with that of the item; the order is another in each epoch."""
    loss = toy.objective(Ramp(from_step=3, to_step=15))
    whole = toy.StudentTask(loss, teacher_of(made, kind))
    fit(whole, toy.options(), tmp_path / "whole", toy.Watch())
    assert whole.loaded[0] != whole.loaded[7] and len(whole.loaded) == 20
    for epoch in (whole.loaded[:7], whole.loaded[7:14]):
        assert sorted(chain(*epoch)) == toy.IDS
    seen: list[list[str]] = []
    for die_at in (2, 9, 18, 0):
        task, watch = toy.StudentTask(loss, teacher_of(made, kind)), toy.Watch(die_at)
        if die_at:
            with pytest.raises(toy.Killed):
                fit(task, toy.options(), tmp_path / "killed", watch)
        else:
            fit(task, toy.options(), tmp_path / "killed", watch)
        for step, ids in zip(watch.steps, task.loaded, strict=True):
            assert ids == whole.loaded[step - 1]
        seen += task.loaded
    assert len(seen) == 2 + 9 + (18 - 8) + (20 - 16)
    assert last_state(tmp_path / "killed") == last_state(tmp_path / "whole")


def test_a_store_in_which_two_items_are_swapped_is_seen(made: Path, tmp_path: Path) -> None:
    """The proof that the test above can fail."""
    store = TargetStore.open(made / "targets")
    swapped = dict(zip(toy.IDS, toy.IDS, strict=True)) | {"item04": "item05", "item05": "item04"}
    with ItemWriter(tmp_path / "targets") as writer:
        for item_id, other in swapped.items():
            writer.add(item_id, {name: np.asarray(value) for name, value in store.arrays(other).items()})
    write_description(tmp_path / "targets", store.specs, "manifest", store.teacher)
    task = toy.StudentTask(toy.objective(1.0), StoredTargets(TargetStore.open(tmp_path / "targets")))
    with pytest.raises(toy.MixedUp):
        fit(task, toy.options(), tmp_path / "work", toy.Watch())


class Silent:
    """A teacher who must not be asked."""

    specs = ()
    fingerprint = "nobody"

    def targets(self, batch: object) -> dict[str, object]:
        raise AssertionError("the teacher was asked")


@pytest.mark.parametrize("kind", ["stored", "live", "silent"])
def test_weight_0_is_plain_training_to_the_last_bit(made: Path, tmp_path: Path, kind: str) -> None:
    plain = fit(toy.PlainTask(), toy.options(), tmp_path / "plain", toy.Watch())
    teacher = Silent() if kind == "silent" else teacher_of(made, kind)
    task = toy.StudentTask(toy.objective(0.0, mel_weight=0.0), teacher)  # type: ignore[arg-type]
    found = fit(task, toy.options(), tmp_path / "zero", toy.Watch())
    assert last_state(tmp_path / "zero") == last_state(tmp_path / "plain")
    assert found.progress.history == plain.progress.history
    with_teacher = toy.StudentTask(toy.objective(1e-6, mel_weight=0.0), teacher_of(made, "stored"))
    fit(with_teacher, toy.options(), tmp_path / "some", toy.Watch())
    assert last_state(tmp_path / "some")["model.safetensors"] != last_state(tmp_path / "plain")["model.safetensors"]


def test_a_delayed_term_changes_nothing_before_its_first_step(made: Path, tmp_path: Path) -> None:
    late = toy.objective(During(first_step=9), mel_weight=0.0)
    for n_steps, equal in ((8, True), (9, False)):
        how = toy.options(max_steps=20, valid_every_steps=20, checkpoint_every_steps=n_steps)
        states = []
        for name, task in (
            ("plain", toy.PlainTask()),
            ("late", toy.StudentTask(late, teacher_of(made, "live"))),
        ):
            with pytest.raises(toy.Killed):
                fit(task, how, tmp_path / f"{name}{n_steps}", toy.Watch(die_at=n_steps + 1))
            assert checkpoints(tmp_path / f"{name}{n_steps}")[-1].name == f"step-{n_steps:08d}"
            states.append(last_state(tmp_path / f"{name}{n_steps}")["model.safetensors"])
        assert (states[0] == states[1]) is equal


def test_a_teacher_is_what_it_was_after_a_whole_training(made: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(made / "teacher", tmp_path / "teacher")
    teacher = toy.live(copy)
    fit(toy.StudentTask(toy.objective(1.0), teacher), toy.options(), tmp_path / "work", toy.Watch())
    toy.save(copy, teacher.model, 16)  # type: ignore[arg-type]
    assert fingerprint(copy) == fingerprint(made / "teacher")
    assert all(parameter.grad is None for parameter in teacher.model.parameters())


def test_the_student_comes_to_say_what_the_teacher_says(made: Path, tmp_path: Path) -> None:
    """Against a student that is trained without a teacher."""
    teacher = teacher_of(made, "live")
    batch = toy.batch_of(toy.IDS)
    wanted = teacher.targets(batch)["mel"]
    errors = []
    for mel_weight in (0.0, 1.0):
        task = toy.StudentTask(toy.objective(0.0, mel_weight), teacher)
        fit(
            task,
            toy.options(max_steps=80, valid_every_steps=80, checkpoint_every_steps=80),
            tmp_path / str(mel_weight),
            toy.Watch(),
        )
        errors.append(float((task.model.eval()(batch)["mel"] - wanted).square().mean().detach()))
    assert errors[1] < 0.5 * errors[0]
