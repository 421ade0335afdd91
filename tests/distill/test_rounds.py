"""Rounds: the student is the next teacher, and a run that was killed goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from speechkd.distill.fingerprint import fingerprint
from speechkd.distill.rounds import Round, Rounds
from speechkd.errors import ArtifactError
from speechkd.training.loop import fit
from tests.distill import toy


class Halving:
    """Half the steps every round; the student starts as its teacher and is trained by the real loop."""

    def __init__(self, die_in: int = 0, die_at: int = 0) -> None:
        self.seen: list[tuple[int, int, int, str]] = []
        self.steps: list[list[int]] = []
        self.die_in, self.die_at = die_in, die_at

    def __call__(self, this: Round[int]) -> None:
        self.seen.append((this.number, this.teacher_setting, this.setting, this.teacher.name))
        teacher = toy.live(this.teacher)
        task = toy.StudentTask(toy.objective(1.0 / this.setting), teacher)
        task.model = toy.load(this.teacher)
        watch = toy.Watch(self.die_at if this.number == self.die_in else 0)
        self.steps.append(watch.steps)
        how = toy.options(max_steps=8, checkpoint_every_steps=4, valid_every_steps=8)
        trained = fit(task, how, this.work, watch)
        task.model.load_state_dict(trained.weights)
        toy.save(this.student, task.model, 16)  # type: ignore[arg-type]

    def rounds(self, start: int = 8, n_rounds: int = 3) -> Rounds[int]:
        return Rounds(n_rounds, start, lambda steps: steps // 2, self)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_student_teaches_the_next(made: Path, tmp_path: Path) -> None:
    train = Halving()
    last = train.rounds().run(made / "teacher", tmp_path)
    assert train.rounds().settings() == (8, 4, 2, 1)
    assert train.seen == [(1, 8, 4, "teacher"), (2, 4, 2, "round-01"), (3, 2, 1, "round-02")]
    assert last == tmp_path / "round-03" and sorted(path.name for path in tmp_path.iterdir()) == [
        "round-01", "round-02", "round-03",
    ]  # fmt: skip
    prints = [fingerprint(made / "teacher"), *(fingerprint(tmp_path / f"round-0{i}") for i in (1, 2, 3))]
    assert len(set(prints)) == 4
    for number in (1, 2, 3):
        record = json.loads((tmp_path / f"round-0{number}" / "round.json").read_text())
        assert record["teacher"] == prints[number - 1] and record["setting"] == 8 >> number
    assert not torch.equal(toy.load(last).mel.weight, toy.load(tmp_path / "round-02").mel.weight)


def test_a_run_that_was_killed_in_the_middle_of_a_round_goes_on_there(made: Path, tmp_path: Path) -> None:
    Halving().rounds().run(made / "teacher", tmp_path / "whole")
    killed = Halving(die_in=2, die_at=6)
    with pytest.raises(toy.Killed):
        killed.rounds().run(made / "teacher", tmp_path / "killed")
    assert [path.name for path in sorted((tmp_path / "killed").iterdir())] == [".round-02", "round-01"]
    resumed = Halving()
    resumed.rounds().run(made / "teacher", tmp_path / "killed")
    assert [number for number, *_ in resumed.seen] == [2, 3] and resumed.steps[0] == [5, 6, 7, 8]
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    again = Halving()
    assert again.rounds().run(made / "teacher", tmp_path / "killed").name == "round-03" and again.seen == []
    # More rounds are trained on top of those that are there.
    longer = Rounds(4, 8, lambda steps: max(1, steps // 2), again)
    assert longer.run(made / "teacher", tmp_path / "killed").name == "round-04"
    assert again.seen == [(4, 1, 1, "round-03")]


def test_checkpoints_of_another_setting_are_not_taken_up(made: Path, tmp_path: Path) -> None:
    with pytest.raises(toy.Killed):
        Halving(die_in=1, die_at=6).rounds(start=4, n_rounds=1).run(made / "teacher", tmp_path)
    train = Halving()
    train.rounds(start=8, n_rounds=1).run(made / "teacher", tmp_path)
    assert train.steps == [[1, 2, 3, 4, 5, 6, 7, 8]]


def test_finished_rounds_of_another_teacher_or_setting_are_refused(made: Path, tmp_path: Path) -> None:
    Halving().rounds(n_rounds=1).run(made / "teacher", tmp_path / "run")
    other = tmp_path / "other"
    toy.save(other, toy.Network(16, seed=6), 16)
    for teacher, start, says in (
        (other, 8, "another teacher"),
        (made / "teacher", 16, "another setting: 4 there, 8 now"),
    ):
        train = Halving()
        with pytest.raises(ArtifactError, match=says) as caught:
            train.rounds(start, n_rounds=2).run(teacher, tmp_path / "run")
        assert "Delete this round" in str(caught.value) and train.seen == []


def test_a_round_without_a_model_is_not_finished(made: Path, tmp_path: Path) -> None:
    def idle(this: Round[Any]) -> None:
        (this.student / "notes.txt").write_text("nothing learnt")

    with pytest.raises(ArtifactError, match="this folder holds no model"):
        Rounds(1, None, lambda nothing: nothing, idle).run(made / "teacher", tmp_path)
    assert not (tmp_path / "round-01").exists()
    with pytest.raises(ArtifactError, match="no model"):
        Rounds(1, None, lambda nothing: nothing, idle).run(tmp_path, tmp_path)


def test_no_rounds_leave_the_teacher(made: Path, tmp_path: Path) -> None:
    assert Halving().rounds(n_rounds=0).run(made / "teacher", tmp_path) == made / "teacher"
