"""Weighted sums by closed form, and terms that read what they say."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from speechkd.config import Config, load_config
from speechkd.distill.objective import Objective, Term, TermFunction, TermSpec
from speechkd.distill.schedules import During, Ramp, Weight, describe, weight_at
from speechkd.errors import ConfigError, StageError


def term(name: str, weight: Weight, function: TermFunction, **reads: tuple[str, ...]) -> Term:
    return Term(TermSpec(name, "…", reads.get("outputs", ("x",)), reads.get("targets", ()), weight), function)


def mean_x(outputs: Any, targets: Any, batch: Any) -> torch.Tensor:
    return outputs["x"].mean()


def squared(outputs: Any, targets: Any, batch: Any) -> torch.Tensor:
    return (outputs["x"] - targets["t"]).square().sum()


def test_schedules_are_their_formulas() -> None:
    ramp, fall = Ramp(from_step=10, to_step=30, end=4.0), Ramp(from_step=0, to_step=7, start=1.0, end=0.25)
    for step in range(1, 60):
        assert weight_at(ramp, step) == pytest.approx(4.0 * min(1.0, max(0.0, (step - 10) / 20)))
        assert weight_at(fall, step) == pytest.approx(max(0.25, 1.0 - 0.75 * step / 7))
        assert weight_at(0.3, step) == 0.3
        assert weight_at(During(first_step=5), step) == (1.0 if step >= 5 else 0.0)
        assert weight_at(During(value=2.0, first_step=5, last_step=9), step) == (2.0 if 5 <= step <= 9 else 0.0)
        assert weight_at(During(value=2.0, last_step=9), step) == (2.0 if step <= 9 else 0.0)
    # The ends are met to the last bit.
    assert weight_at(ramp, 10) == 0.0 and weight_at(ramp, 30) == 4.0
    third = Ramp(from_step=3, to_step=9, start=0.3, end=0.9)
    assert weight_at(third, 3) == 0.3 and weight_at(third, 9) == 0.9 and weight_at(third, 10**9) == 0.9
    assert (describe(0.5), describe(ramp)) == ("0.5", "0 → 4, steps 10 to 30")
    assert describe(During(first_step=5)) == "1, from step 5 on"
    assert describe(During(value=3, last_step=5)) == "3, from step 1 to 5"


def test_schedules_that_go_backwards_are_refused() -> None:
    for kind, values in ((Ramp, {"from_step": 5, "to_step": 5}), (During, {"first_step": 5, "last_step": 4})):
        with pytest.raises(ValidationError, match=r"to_step 5 is not after|last_step 4 is before"):
            kind(**values)


class Loss(Config):
    weight: Weight = 1.0


class LossConfig(Config):
    loss: Loss


def test_a_weight_can_stand_in_a_configuration(tmp_path: Any) -> None:
    path = tmp_path / "conf.yaml"
    for text, expected in (
        ("0.5", 0.5),
        ("3", 3.0),
        ("{name: ramp, from_step: 1, to_step: 5}", Ramp(from_step=1, to_step=5)),
        ("{name: during, first_step: 7}", During(first_step=7)),
    ):
        path.write_text(f"loss: {{weight: {text}}}\n")
        assert load_config(path, LossConfig).loss.weight == expected
    for wrong, says in (
        ("{name: ramp, from_step: 5, to_step: 5}", "is not after from_step 5"),
        ("{name: rmap}", "should be one of ramp, during"),
        ("{name: ramp, form_step: 1, to_step: 2}", "loss.weight.form_step: unknown key"),
    ):
        path.write_text(f"loss: {{weight: {wrong}}}\n")
        with pytest.raises(ConfigError) as caught:
            load_config(path, LossConfig)
        assert says in str(caught.value)
    with pytest.raises(ValidationError):
        TypeAdapter(Weight).validate_python({"name": "ramp"})


def test_a_sum_of_weighted_terms() -> None:
    x, t = torch.tensor([1.0, 2.0, 6.0], requires_grad=True), torch.tensor([1.0, 1.0, 1.0])
    ramp = Ramp(from_step=0, to_step=10)
    objective = Objective([term("a", 2.0, mean_x), term("b", ramp, squared, targets=("t",))])
    total, values = objective({"x": x}, {"t": t}, None, step=4)
    # mean x = 3, Σ(x - t)² = 26
    assert list(values) == ["a", "b"] and values["a"].item() == 6.0
    assert values["b"].item() == pytest.approx(0.4 * 26) and total.item() == pytest.approx(6 + 0.4 * 26)
    total.backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.full((3,), 2 / 3) + 0.4 * 2 * (x.detach() - t))
    assert [spec.name for spec in objective.specs] == ["a", "b"]


def test_a_term_without_weight_is_not_computed_and_its_teacher_not_asked() -> None:
    asked: list[int] = []

    class Counting:
        specs = ()
        fingerprint = "counting"

        def targets(self, batch: Any) -> dict[str, torch.Tensor]:
            asked.append(batch)
            return {"t": torch.zeros(3)}

    def never(outputs: Any, targets: Any, batch: Any) -> torch.Tensor:
        raise AssertionError("computed")

    objective = Objective(
        [
            term("a", 1.0, mean_x),
            term("off", 0.0, never, outputs=("not there",), targets=("nor this",)),
            term("late", During(first_step=3), squared, targets=("t",)),
        ]
    )
    x = torch.ones(3)
    for step in (1, 2, 3, 4):
        total, values = objective({"x": x}, Counting(), step, step)
        assert list(values) == (["a"] if step < 3 else ["a", "late"]) and float(total) == (1.0 if step < 3 else 4.0)
        assert objective.wanted(step) == (frozenset() if step < 3 else {"t"})
    assert asked == [3, 4]


def test_a_term_reads_what_it_declares_and_nothing_else() -> None:
    x, given = {"x": torch.ones(3), "y": torch.ones(3)}, {"t": torch.zeros(3), "u": torch.zeros(3)}

    def other_output(outputs: Any, targets: Any, batch: Any) -> torch.Tensor:
        return outputs["y"].sum()

    def other_target(outputs: Any, targets: Any, batch: Any) -> torch.Tensor:
        return targets["u"].sum()

    for function, says in ((other_output, "reads the output y"), (other_target, "reads the target u")):
        with pytest.raises(StageError, match=f"{says}, which its TermSpec does not declare"):
            Objective([term("a", 1.0, function, targets=("t",))])(x, given, None, 1)
    for outputs, targets, says in (
        (("z",), (), "the student gives no output z to the term a: it gives x, y"),
        (("x",), ("v",), "the teacher gives no target v to the term a: it gives t, u"),
    ):
        with pytest.raises(StageError, match=says):
            Objective([term("a", 1.0, mean_x, outputs=outputs, targets=targets)])(x, given, None, 1)


def test_a_target_with_a_gradient_is_refused() -> None:
    objective = Objective([term("a", 1.0, squared, targets=("t",))])
    leaking = torch.zeros(3, requires_grad=True) * 2
    with pytest.raises(StageError, match="target t of the term a carries a gradient"):
        objective({"x": torch.ones(3)}, {"t": leaking}, None, 1)
    assert float(objective({"x": torch.ones(3)}, {"t": leaking.detach()}, None, 1)[0]) == 3.0


def test_objectives_that_cannot_be() -> None:
    with pytest.raises(StageError, match=r"the term a is not a scalar: its shape is \(3,\)"):
        Objective([term("a", 1.0, lambda outputs, targets, batch: outputs["x"])])({"x": torch.ones(3)}, {}, None, 1)
    for terms in ([], [term("a", 1.0, mean_x), term("a", 2.0, mean_x)]):
        with pytest.raises(ConfigError, match="names of their own"):
            Objective(terms)
    with pytest.raises(ConfigError, match="at step 2 no term"):
        Objective([term("a", During(last_step=1), mean_x)])({"x": torch.ones(3)}, {}, None, 2)


def test_a_weight_that_is_not_a_number_is_refused() -> None:
    for weight in (math.nan, math.inf):
        with pytest.raises(ValueError, match="term a: the weight"):
            term("a", weight, mean_x)
