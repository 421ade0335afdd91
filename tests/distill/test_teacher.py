"""A live teacher: frozen for good, and without influence on anything but its targets."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from speechkd.distill.targets import TargetSpec, check_targets, only_producer
from speechkd.distill.teacher import JoinedTeachers, LiveTeacher, device_of, trainable_copy
from speechkd.errors import StageError
from tests.distill import toy

LOGITS = TargetSpec("logits", ("class",), "float32", "me")


def logits(model: nn.Module, batch: Any) -> dict[str, torch.Tensor]:
    return {"logits": model(batch)["logits"]}


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_teacher_stays_in_evaluation_mode_and_as_it_is() -> None:
    """Inside a larger module that trains, with an optimiser that holds its parameters."""
    network = toy.Network(16, seed=1)
    network.train()
    parent = nn.ModuleDict({"teacher": network, "student": toy.Network(8, seed=2)})
    teacher = LiveTeacher(network, logits, [LOGITS])
    before, batch = state(network), toy.batch_of(toy.IDS[:6])
    first = teacher.targets(batch)["logits"]
    optimizer = torch.optim.AdamW(parent.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(3):
        parent.train()
        network.train()
        network.body.train()
        assert parent["student"].training and not any(module.training for module in network.modules())
        given = teacher.targets(batch)["logits"]
        assert torch.equal(given, first) and not given.requires_grad and given.grad_fn is None
        (parent["student"](batch)["logits"] - given).square().mean().backward()
        optimizer.step()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in network.parameters())
    # Also the counters of the batch norm, which a forward pass in training mode would move.
    assert same(state(network), before)
    plain = toy.Network(16, seed=1)
    plain.train()(batch)
    assert not same(state(plain), before)


def test_a_copy_of_a_teacher_can_learn() -> None:
    network = toy.Network(16, seed=1)
    LiveTeacher(network, logits, [LOGITS])
    assert not copy.deepcopy(network).train().training  # what `trainable_copy` is for
    student, batch = trainable_copy(network), toy.batch_of(toy.IDS[:6])
    assert all(module.training for module in student.modules())
    assert not any(module.training for module in student.eval().modules())
    student.train()(batch)["logits"].sum().backward()
    assert student.logits.weight.grad is not None and network.logits.weight.grad is None
    assert not any(module.training for module in network.modules())


def test_a_teacher_that_draws_leaves_the_students_draws_alone() -> None:
    def noisy(model: nn.Module, batch: Any) -> dict[str, torch.Tensor]:
        return {"logits": torch.randn(len(batch.ids), 5)}

    teacher, batch = LiveTeacher(nn.Linear(1, 1), noisy, [LOGITS]), toy.batch_of(["item01"])
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    first = teacher.targets(batch)["logits"]
    assert torch.equal(torch.rand(4), expected)
    torch.manual_seed(3)
    assert torch.equal(teacher.targets(batch)["logits"], first)


def test_a_teacher_does_not_take_over_the_students_precision() -> None:
    teacher, batch = LiveTeacher(toy.Network(16, seed=1), logits, [LOGITS]), toy.batch_of(toy.IDS[:3])
    expected = teacher.targets(batch)["logits"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert teacher.model(batch)["logits"].dtype == torch.bfloat16
        assert torch.equal(teacher.targets(batch)["logits"], expected)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ({}, "not made: logits"),
        ({"logits": torch.zeros(2, 5), "more": torch.zeros(2)}, "not declared: more"),
        ({"logits": torch.zeros(2, 5, dtype=torch.float64)}, r"should be \(class\) float32, and is float64"),
        ({"logits": torch.zeros(2, 5, 1)}, "with 2 axes"),
        ({"logits": torch.zeros(3, 5)}, "of another batch: 3 rows for 2 items"),
    ],
)
def test_what_a_teacher_does_not_declare_is_refused(made: dict[str, torch.Tensor], says: str) -> None:
    teacher = LiveTeacher(nn.Linear(1, 1), lambda model, batch: made, [LOGITS])
    with pytest.raises(StageError, match=says):
        teacher.targets(toy.batch_of(["item01", "item02"]))


def test_joined_teachers_give_the_targets_of_all(made: Path) -> None:
    feature = TargetSpec("feature", ("feature",), "float32", "other")
    other = LiveTeacher(nn.Linear(4, 2), lambda model, batch: {"feature": model(batch.frames[:, 0])}, [feature])
    first, batch = toy.live(made / "teacher"), toy.batch_of(toy.IDS[:4])
    both = JoinedTeachers(first, other)
    found = both.targets(batch)
    check_targets(found, both.specs, 4)
    assert torch.equal(found["feature"], other.targets(batch)["feature"])
    assert torch.equal(found["mel"], first.targets(batch)["mel"])
    assert both.fingerprint != JoinedTeachers(other, first).fingerprint
    with pytest.raises(ValueError, match="same name"):
        JoinedTeachers(first, first)


def test_where_a_batch_lies() -> None:
    class Placed:
        device = "meta"

    meta, plain = torch.zeros(1, device="meta"), torch.zeros(1)
    assert device_of(Placed()).type == device_of(meta).type == device_of({"n": 1, "x": meta}).type == "meta"
    assert device_of(toy.batch_of(["item01"])).type == device_of({"x": plain, "y": meta}).type == "cpu"
    with pytest.raises(StageError, match="no device"):
        device_of({"n": 1})


def test_what_no_target_can_be() -> None:
    for name, axes, dtype in (
        ("x", ("sideways",), "float32"),
        ("", (), "float32"),
        ("a/b", (), "int8"),
        ("x", (), "c8"),
    ):
        with pytest.raises(ValueError, match="target|name"):
            TargetSpec(name, axes, dtype)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one teacher"):
        only_producer([LOGITS, LOGITS.by("you")])
    with pytest.raises(ValueError, match="one teacher"):
        LiveTeacher(nn.Linear(1, 1), logits, [LOGITS.by("")])
