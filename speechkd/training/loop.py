"""The training loop of every family: a task supplies batches and losses, the loop supplies everything else.

Steps, not time, end a run; every random draw is seeded from its place in the run. So a run that was killed and
resumed ends with the same bytes as one that was not. A task with an opponent (see `opponent.AdversarialTask`) is
trained as a game of two players: in every step the model learns first, then the opponent from what the model made.
"""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from speechkd.errors import ArtifactError, ConfigError, StageError
from speechkd.training.checkpoint import (
    Progress,
    checkpoints,
    load_optimizer_tensors,
    optimizer_tensors,
    read_checkpoint,
    remove_old,
    write_checkpoint,
)
from speechkd.training.device import make_accelerator
from speechkd.training.opponent import AdversarialTask, Opponent, adamw
from speechkd.training.options import AdversarialTrainOptions, OpponentOptions, TrainOptions
from speechkd.training.schedule import learning_rate_factor
from speechkd.training.seeds import derive_seed


class Task(Protocol):
    """What a method brings to the loop."""

    model: nn.Module

    def epoch(self, seed: int, epoch: int) -> Sequence[Sequence[str]]:
        """The epoch's batches as lists of item ids: a pure function of its arguments."""

    def load(self, ids: Sequence[str]) -> Any:
        """The batch of these items, on the CPU, with a method `.to(device)`."""

    def losses(self, model: nn.Module, batch: Any, step: int) -> Mapping[str, Tensor]:
        """Loss terms of a batch at a step (from 1), each already weighted; their sum is minimised."""

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Held-out figures; the one called `train.best_by` decides which weights are kept."""


class Monitor(Protocol):
    """Who is told how the run goes."""

    def row(self, row: Mapping[str, Any]) -> None:
        """A row of the history was completed."""

    def advance(self, step: int, loss: float) -> None:
        """A step was taken."""

    def message(self, text: str) -> None:
        """Something worth a line in the log."""


@dataclass
class Trained:
    """A finished run: the best weights by validation loss, and the history."""

    weights: dict[str, Tensor]
    progress: Progress

    def write_history(self, path: Path) -> None:
        """One JSON object per line, in the order of the run."""
        lines = (json.dumps(row, sort_keys=True) for row in self.progress.history)
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def fit(task: Task, options: TrainOptions, work: Path, monitor: Monitor) -> Trained:
    """Train from the newest valid checkpoint under `work`, or from the start.

    SIGINT and SIGTERM end the current step, write a checkpoint and raise KeyboardInterrupt.
    """
    return _Run(task, options, work, monitor).run()


class _Run:
    def __init__(self, task: Task, options: TrainOptions, work: Path, monitor: Monitor) -> None:
        self.task, self.options, self.work, self.monitor = task, options, work, monitor
        self.accelerator: Accelerator = make_accelerator(options)
        self.model, self.optimizer = self.accelerator.prepare(task.model, adamw(task.model, options.optimizer))
        self.opponent = _opponent(task, options, self.accelerator)
        self.average = _copy(task.model) if options.ema_decay else None
        self.progress = Progress()

    def run(self) -> Trained:
        self._resume()
        with _stop_flag() as stop:
            while self.progress.step < self.options.max_steps and not self._out_of_patience():
                self._epoch(stop)
        return Trained(self._best_weights(), self.progress)

    def _epoch(self, stop: _Stop) -> None:
        progress, options = self.progress, self.options
        batches = self.task.epoch(derive_seed(options.seed, purpose="order"), progress.epoch)
        groups = [batches[i : i + options.accumulate] for i in range(0, len(batches), options.accumulate)]
        for group in groups[progress.batch :]:
            progress.step += 1
            progress.batch += 1
            self._step(group)
            self._after_step()
            if stop.requested:
                self._write_checkpoint()
                raise KeyboardInterrupt
            if progress.step >= options.max_steps or self._out_of_patience():
                return
        progress.epoch, progress.batch = progress.epoch + 1, 0

    def _step(self, group: Sequence[Sequence[str]]) -> None:
        progress, options = self.progress, self.options
        torch.manual_seed(derive_seed(options.seed, epoch=progress.epoch, step=progress.step, purpose="dropout"))
        factor = learning_rate_factor(options.schedule, progress.step, options.max_steps)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = options.optimizer.learning_rate * factor
        self.model.train()
        total = 0.0
        for ids in group:
            total += self._backward(ids, 1.0 / len(group))
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), options.clip_norm)
        self._add("grad_norm", float(norm))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._update_average()
        if self.opponent and (opponent_norm := self.opponent.step(factor)) is not None:
            self._add("opponent_grad_norm", opponent_norm)
        self.monitor.advance(progress.step, total)

    def _backward(self, ids: Sequence[str], share: float) -> float:
        batch = self.task.load(ids).to(self.accelerator.device)
        with self.accelerator.autocast(), self.opponent.frozen() if self.opponent else nullcontext():
            terms = self.task.losses(self.model, batch, self.progress.step)
        total = self._total(terms, share)
        self.accelerator.backward(total * share)
        if self.opponent and (game := self.opponent.terms(batch, self.progress.step)):
            self.opponent.backward(self._total(game, share) * share)
        loss = float(total.detach()) * share
        self._add("loss", loss)
        return loss

    def _total(self, terms: Mapping[str, Tensor], share: float) -> Tensor:
        """The sum of loss terms, which are noted for the history. StageError if it is not finite."""
        total = torch.stack([term.float() for term in terms.values()]).sum()
        values = {name: float(term.detach()) for name, term in terms.items()}
        if not torch.isfinite(total):
            named = ", ".join(f"{name} {value:g}" for name, value in values.items())
            raise StageError(
                f"the loss is not finite at step {self.progress.step}",
                why=named,
                todo="Lower train.optimizer.learning_rate, or train with --set train.precision=fp32",
            )
        for name, value in values.items():
            self._add(name, value * share)
        return total

    def _add(self, name: str, value: float) -> None:
        self.progress.sums[name] = self.progress.sums.get(name, 0.0) + value

    def _update_average(self) -> None:
        if self.average is None:
            return
        step = self.progress.step
        # A short memory at first: the early weights are not worth remembering.
        decay = min(self.options.ema_decay, (1 + step) / (10 + step))
        for name, value in self._weights().items():
            if value.dtype.is_floating_point:
                self.average[name].lerp_(value, 1.0 - decay)
            else:
                self.average[name].copy_(value)

    def _after_step(self) -> None:
        progress, options = self.progress, self.options
        last = progress.step == options.max_steps
        if progress.step % options.log_every_steps == 0:
            self._log_losses()
        if progress.step % options.valid_every_steps == 0 or last:
            self._validate()
        if progress.step % options.checkpoint_every_steps == 0 or last:
            self._write_checkpoint()

    def _log_losses(self) -> None:
        means = {name: value / self.options.log_every_steps for name, value in self.progress.sums.items()}
        self.progress.sums = {}
        self._row({"kind": "train", "step": self.progress.step, "epoch": self.progress.epoch} | means)

    def _validate(self) -> None:
        progress = self.progress
        with _swapped(self.accelerator.unwrap_model(self.model), self.average) as model:
            figures = dict(self.task.validate(model, self.accelerator.device))
        self._row({"kind": "valid", "step": progress.step, "epoch": progress.epoch} | figures)
        figure = self._deciding(figures)
        if progress.best is None or math.isnan(progress.best) or figure < progress.best:
            progress.best, progress.best_step, progress.stale_validations = figure, progress.step, 0
            write_checkpoint(self.work / "best", {"model": dict(self.average or self._weights())}, Progress())
        else:
            progress.stale_validations += 1

    def _deciding(self, figures: Mapping[str, float]) -> float:
        name = self.options.best_by
        if name == "last":
            return -self.progress.step
        if name not in figures:
            known = ", ".join(sorted(figures))
            raise ConfigError(f"train.best_by is {name!r}, which validation does not measure", todo=f"Known: {known}")
        return figures[name]

    def _row(self, row: dict[str, Any]) -> None:
        self.progress.history.append(row)
        self.monitor.row(row)

    def _out_of_patience(self) -> bool:
        return 0 < self.options.patience <= self.progress.stale_validations

    def _weights(self) -> dict[str, Tensor]:
        return self.accelerator.unwrap_model(self.model).state_dict()

    def _best_weights(self) -> dict[str, Tensor]:
        return read_checkpoint(self.work / "best")[0]["model"]

    def _write_checkpoint(self) -> None:
        tensors = {"model": self._weights(), "optimizer": optimizer_tensors(self.optimizer)}
        if self.average is not None:
            tensors["average"] = self.average
        if self.opponent:
            tensors |= self.opponent.tensors()
        if (self.work / "best").is_dir():
            tensors["best"] = self._best_weights()
        write_checkpoint(self.work / f"step-{self.progress.step:08d}", tensors, self.progress)
        remove_old(self.work, self.options.keep_checkpoints)

    def _resume(self) -> None:
        for folder in reversed(checkpoints(self.work)):
            try:
                tensors, progress = read_checkpoint(folder)
            except ArtifactError as error:
                self.monitor.message(f"{error}; trying the checkpoint before it")
                continue
            self._restore(tensors, progress)
            self.monitor.message(f"resumed from step {progress.step}")
            return

    def _restore(self, tensors: dict[str, dict[str, Tensor]], progress: Progress) -> None:
        self.accelerator.unwrap_model(self.model).load_state_dict(tensors["model"])
        load_optimizer_tensors(self.optimizer, tensors["optimizer"])
        if self.average is not None:
            self.average = {k: v.to(self.accelerator.device) for k, v in tensors["average"].items()}
        if self.opponent:
            self.opponent.restore(tensors)
        # The best weights may be newer than this checkpoint: a kill can fall between the two.
        if "best" in tensors:
            write_checkpoint(self.work / "best", {"model": tensors["best"]}, Progress())
        self.progress = progress
        for row in progress.history:
            self.monitor.row(row)
        self.monitor.advance(progress.step, float("nan"))


def _opponent(task: Task, options: TrainOptions, accelerator: Accelerator) -> Opponent | None:
    if not isinstance(task, AdversarialTask):
        return None
    how = options.opponent if isinstance(options, AdversarialTrainOptions) else OpponentOptions()
    return Opponent(task, how, accelerator)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


@contextmanager
def _swapped(model: nn.Module, average: dict[str, Tensor] | None) -> Iterator[nn.Module]:
    """The model in evaluation mode, with the averaged weights if there are any, put back afterwards."""
    own = None
    if average is not None:
        own = _copy(model)
        model.load_state_dict(average)
    model.eval()
    try:
        yield model
    finally:
        if own is not None:
            model.load_state_dict(own)


class _Stop:
    requested = False


@contextmanager
def _stop_flag() -> Iterator[_Stop]:
    stop = _Stop()

    def request(signum: int, frame: object) -> None:
        stop.requested = True

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
