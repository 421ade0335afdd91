"""Objectives of lip reading compared on finished runs: cross-entropy, policy gradients, and PCPG by its kernel."""

from __future__ import annotations

from typing import Any

from recipes.lipreading.compare.config import CompareRecipe
from speechkd.runner import Context, Output, Recipe, stage


@stage(outputs=("collected",), uses=("runs.*.arm",), external=("start", "runs.*.path"))
def collect(cfg: Any, ctx: Context) -> None:
    """Read the finished runs, and refuse arms that differ in more than the objective and the seed."""
    from recipes.lipreading.compare.collect import run

    run(cfg, ctx)


@stage(outputs=("gradients",), uses=("gradients",), external=("start",))
def gradients(cfg: Any, ctx: Context) -> None:
    """Compare the estimators of the policy gradient at the start."""
    from recipes.lipreading.compare.gradients import run

    run(cfg, ctx)


@stage(
    inputs=("collected", "gradients"),
    outputs=(Output("table", volatile=True),),
    uses=("corpus", "start", "arms", "baseline", "gradients", "bootstrap", "results"),
)
def table(cfg: Any, ctx: Context) -> None:
    """Write the table of arms and the HTML report."""
    from recipes.lipreading.compare.table import run

    run(cfg, ctx)


RECIPE = Recipe(
    name="lipreading/compare",
    config=CompareRecipe,
    stages=(collect, gradients, table),
    run_dir=lambda cfg: cfg.run.dir,
)
