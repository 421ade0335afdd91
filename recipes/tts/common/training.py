"""How every train stage ends: the loop under the eyes of the stage, and the files of a finished model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from recipes.tts.common.monitor import StageMonitor
from recipes.tts.common.origin import Account
from speechkd.models.tts.load import save_model
from speechkd.runner import Context
from speechkd.training.loop import Task, Trained, fit
from speechkd.training.options import TrainOptions


def learn(
    ctx: Context,
    task: Task,
    options: TrainOptions,
    account: Account | None = None,
    *,
    output: str = "model",
    save: Callable[[Path, Any], object] = save_model,
    monitor: StageMonitor | None = None,
) -> None:
    """Train, or go on training, and write the artifact `output`: the best weights by `save`, history.jsonl, and the
    account of what the model started from, if it started from other weights.

    monitor: where the task itself has something to show it.
    """
    with monitor or StageMonitor(ctx, options.max_steps) as shown:
        trained = fit(task, options, ctx.scratch, shown)
    out = ctx.output(output)
    keep(trained, task.model, out, save)
    if account is not None:
        account.write(out)


def keep(trained: Trained, model: Any, folder: Path, save: Callable[[Path, Any], object] = save_model) -> None:
    """Write the best weights of a training, by `save`, and its history.jsonl into a folder; the model has them then."""
    model.load_state_dict(trained.weights)
    trained.write_history(folder / "history.jsonl")
    save(folder, model)


def log_size(ctx: Context, model: Any, n_utterances: int) -> None:
    """A line on how much is trained, and on how much."""
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    ctx.log.info("%.1f M parameters, %d training utterances", n_parameters / 1e6, n_utterances)
