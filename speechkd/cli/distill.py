"""`speechkd distill`: which teacher feeds which term of a student's loss."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from speechkd.errors import UsageError

if TYPE_CHECKING:
    from speechkd.distill.plan import DistillationPlan

app = typer.Typer(no_args_is_help=True)
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a value.")]


@app.callback()
def distill() -> None:
    """Look at distillations."""


@app.command()
def explain(
    config: Annotated[Path, typer.Argument(help="YAML file with a `recipe:` key.", show_default=False)],
    overrides: Overrides = None,
) -> None:
    """Who feeds which term: its weight, what it reads of student and teacher, and its equation."""
    from speechkd.cli.recipes import load

    recipe, cfg = load(config, overrides or [])
    _print(recipe.name, plan_of(recipe.name)(cfg))


def plan_of(name: str) -> Callable[[Any], DistillationPlan]:
    """The `PLAN` of a recipe; UsageError with those that have one if it has none."""
    from speechkd.cli.recipes import known_recipes

    plan: Callable[[Any], DistillationPlan] | None = _plan(name)
    if plan is None:
        others = [each for each in known_recipes() if _plan(each) is not None]
        todo = f"With a teacher: {', '.join(others)}" if others else None
        raise UsageError(f"the recipe {name} has no teacher", todo=todo)
    return plan


def _plan(name: str) -> Any:
    return getattr(importlib.import_module("recipes." + name.replace("/", ".")), "PLAN", None)


def _print(recipe: str, plan: DistillationPlan) -> None:
    # Piped output is for programs: nothing may be folded there.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 400)
    how = "stored: made before the training, read by id" if plan.stored else "live: asked at every step"
    console.print(f"{recipe}: {plan.teacher} → {plan.student}", markup=False)
    console.print(f"targets {how}" if plan.targets else "no targets", markup=False)
    console.print()
    console.print(_table(plan))
    console.print()
    for spec in plan.unread():
        console.print(f"read by no term: {spec.name} {spec.form()}", markup=False)
    for note in plan.notes:
        console.print(f"note: {note}", markup=False)


def _table(plan: DistillationPlan) -> Table:
    teacher = f"from the teacher ({'stored' if plan.stored else 'live'})"
    table = Table("term", "weight", "from the student", teacher, "from the batch", "equation", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for feed in plan.feeds():
        row = (feed.term, feed.weight, feed.student, feed.teacher, feed.batch, feed.equation)
        table.add_row(*map(Text, row))
    return table
