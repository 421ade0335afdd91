"""How long a step of training takes: finished runs trained anew for a few steps, by turns, in this process."""

from __future__ import annotations

import importlib
import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from recipes.tts.common.claims.systems import MODEL, System
from speechkd.config import load_config, read_value
from speechkd.runner import Context, RunOptions, run_recipe
from speechkd.runner.records import RunFolder

_NEVER = 10**9


def step_seconds(there: Mapping[str, System], options: Any, ctx: Context) -> dict[str, float]:
    """Seconds per step of each of these systems; one whose run folder has no configuration is left out.

    A training of `warm_up` steps is taken from one of `warm_up + steps`: what is not a step, such as reading the corpus
    and the validation at the end, goes out. The median of `rounds` differences, the systems by turns.
    """
    known = {name: each for name, each in there.items() if _configured(each)}
    found: dict[str, list[float]] = {name: [] for name in known}
    with ctx.progress(2 * options.rounds * len(known), "timing steps") as bar:
        for _ in range(options.rounds):
            for name, system in known.items():
                short, long = (
                    _bar_after(bar, _trained(system, n_steps, options.threads, ctx.scratch / "steps"))
                    for n_steps in (options.warm_up, options.warm_up + options.steps)
                )
                found[name].append((long - short) / options.steps)
    return {name: median(each) for name, each in found.items()}


def _bar_after(bar: Any, seconds: float) -> float:
    bar.advance()
    return seconds


def _configured(system: System) -> bool:
    return system.model_artifact == MODEL and (system.folder / "config.yaml").is_file()


def shortened(n_steps: int, threads: int, folder: Path, base: Path) -> list[str]:
    """What makes of a finished run's configuration one of so many steps in another folder, as --set takes it."""
    values = {
        "run.dir": folder,
        "run.base": base,
        "train.max_steps": n_steps,
        # Warming up may take longer than all steps here; a step takes as long at any learning rate.
        "train.schedule.warmup_steps": 1,
        "train.threads": threads,
        "train.log_every_steps": _NEVER,
        "train.valid_every_steps": _NEVER,
        "train.checkpoint_every_steps": _NEVER,
    }
    return [f"{key}={value}" for key, value in values.items()]


def _trained(system: System, n_steps: int, threads: int, scratch: Path) -> float:
    """Seconds of the stage `train` with so many steps, on what the finished run has prepared."""
    folder = scratch / f"{system.name}-{n_steps}"
    shutil.rmtree(folder, ignore_errors=True)
    config, overrides = system.folder / "config.yaml", shortened(n_steps, threads, folder, system.folder)
    name = str(read_value(config, "recipe", []))
    recipe = importlib.import_module("recipes." + name.replace("/", ".")).RECIPE
    cfg = load_config(config, recipe.config, overrides)
    run_recipe(recipe, cfg, RunOptions(stop_stage="train"), Console(file=io.StringIO()))
    record = RunFolder(folder).read_record("train")
    assert record is not None  # the stage has just been done
    shutil.rmtree(folder)
    return record.seconds
