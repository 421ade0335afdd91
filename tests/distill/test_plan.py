"""A plan says who feeds every term, and cannot promise what nobody makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from speechkd.distill.objective import TermSpec
from speechkd.distill.plan import DistillationPlan, Feed
from speechkd.distill.schedules import Ramp
from speechkd.distill.store import TargetStore
from speechkd.distill.targets import TargetSpec
from speechkd.distill.teacher import StoredTargets
from speechkd.errors import ArtifactError, ConfigError
from tests.distill import toy

PLAIN = TermSpec("plain", "mean (z - F)²", ("logits",), batch=("lengths",))
MEL = TermSpec("mel", "mean (y - t)²", ("mel",), ("mel", "mark"))
KD = TermSpec("kd", "mean (z - t)²", ("logits",), ("logits",), Ramp(from_step=2, to_step=8))
PLAN = DistillationPlan("Toy with 16 units", "Toy with 8 units", True, toy.SPECS, (PLAIN, MEL, KD), ("a note",))


def test_every_term_and_its_feeders_are_named() -> None:
    assert PLAN.feeds() == (
        Feed("plain", "1", "logits", "nothing", "lengths", "mean (z - F)²"),
        Feed("mel", "1", "mel", "mel (frame, mel) float32, mark () int64", "nothing", "mean (y - t)²"),
        Feed("kd", "0 → 1, steps 2 to 8", "logits", "logits (class) float32", "nothing", "mean (z - t)²"),
    )
    assert PLAN.unread() == ()
    off = TermSpec("kd", "…", ("logits",), ("logits",), 0.0)
    less = DistillationPlan("t", "s", False, toy.SPECS, (off,))
    assert [feed.weight for feed in less.feeds()] == ["0, not computed"]
    assert [spec.name for spec in less.unread()] == ["mel", "mark"]


def test_a_target_that_nobody_makes_is_refused() -> None:
    wrong = TermSpec("kd", "…", ("logits",), ("logit",))
    with pytest.raises(
        ConfigError, match=r"the term kd reads the target logit, which nobody makes. Did you mean logits\?"
    ):
        DistillationPlan("t", "s", True, toy.SPECS, (PLAIN, wrong))
    with pytest.raises(
        ConfigError, match="the term mel reads the target mel, which nobody makes. nobody makes no targets"
    ):
        DistillationPlan("nobody", "s", True, (), (PLAIN, MEL))
    for targets, terms in (((*toy.SPECS, toy.SPECS[0]), (MEL,)), (toy.SPECS, (MEL, MEL))):
        with pytest.raises(ConfigError, match="share a name"):
            DistillationPlan("t", "s", True, targets, terms)


def test_the_objective_is_that_of_the_plan() -> None:
    functions = {"plain": toy.plain_term, "mel": toy.mel_term, "kd": toy.kd_term}
    objective = PLAN.objective(functions)
    assert objective.specs == PLAN.terms
    batch, network = toy.batch_of(toy.IDS[:3]), toy.Network(8, seed=1).eval()
    targets = toy.produce(toy.Network(16, seed=2).eval(), batch)
    targets = {name: tensor.detach() for name, tensor in targets.items()}
    _, values = objective(network(batch), targets, batch, 5)
    by_hand = 0.5 * (network(batch)["logits"] - targets["logits"]).square().mean()
    assert torch.equal(values["kd"], by_hand) and list(values) == ["plain", "mel", "kd"]
    for wrong in ({"plain": toy.plain_term}, functions | {"more": toy.kd_term}):
        with pytest.raises(ConfigError, match="the plan and the code have different terms"):
            PLAN.objective(wrong)


def test_a_teacher_that_gives_something_else_is_refused(made: Path) -> None:
    stored = StoredTargets(TargetStore.open(made / "targets"))
    PLAN.check(stored)
    PLAN.check(toy.live(made / "teacher"))
    for spec in (TargetSpec("logits", ("class",), "float16"), TargetSpec("logits", ("token", "class"), "float32")):
        with pytest.raises(ArtifactError, match=r"does not give the target logits .*Run the stage"):
            DistillationPlan("t", "s", True, (spec,), (KD,)).check(stored)
    more = TargetSpec("features", ("feature",), "float32")
    reading = TermSpec("hint", "…", ("features",), ("features",))
    with pytest.raises(ArtifactError, match=r"planned \(feature\) float32, given nothing"):
        DistillationPlan("t", "s", True, (more,), (reading,)).check(stored)
    DistillationPlan("t", "s", True, (more, *toy.SPECS), (KD,)).check(stored)  # read by no term


def test_a_plan_needs_no_torch() -> None:
    probe = (
        "import sys, speechkd.distill.plan, speechkd.distill.fingerprint, speechkd.distill.rounds;"
        "import speechkd.cli.distill;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", probe]).returncode == 0
