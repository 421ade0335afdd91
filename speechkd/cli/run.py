"""`speechkd run`: the stages of a recipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from speechkd.runner import StageStatus

_MOST_JOBS = 8


def default_jobs() -> int:
    """One worker per usable core, at most eight: each holds its own copy of the libraries."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_JOBS, usable)


def run(
    config: Annotated[Path, typer.Argument(help="YAML file with a `recipe:` key.", show_default=False)],
    stage: Annotated[str | None, typer.Option(help="First stage, by number or name.")] = None,
    stop_stage: Annotated[str | None, typer.Option(help="Last stage.")] = None,
    only: Annotated[str | None, typer.Option(help="Just this stage.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Rerun the selected stages even if fresh.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Show each stage's state and the reason; run nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run; write nothing.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Re-hash every published file.")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a value: --set a.b=c")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Processes, or Slurm jobs; results do not depend on it.")
    ] = default_jobs(),
    executor: Annotated[
        str, typer.Option(metavar="WHERE", help="local, dask:ADDRESS or slurm[:key=value,…].")
    ] = "local",
) -> None:
    """Bring the stages of a recipe up to date: only what is missing or stale runs."""
    from speechkd.cli.recipes import load
    from speechkd.runner import RunOptions, list_stages, run_recipe

    recipe, cfg = load(config, overrides or [])
    if show:
        _print_states(list_stages(recipe, cfg, verify))
        return
    run_recipe(recipe, cfg, RunOptions(stage, stop_stage, only, force, dry_run, verify, jobs, executor))


def _print_states(states: list[StageStatus]) -> None:
    width = max(len(each.name) for each in states)
    for each in states:
        typer.echo(f"{each.number:>2}  {each.name:<{width}}  {each.text}")
