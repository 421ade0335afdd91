"""The second player of adversarial training: learns to tell apart what the model learns to imitate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from speechkd.training.checkpoint import load_optimizer_tensors, optimizer_tensors
from speechkd.training.options import AdamWOptions, OpponentOptions


@runtime_checkable
class AdversarialTask(Protocol):
    """A task of the loop with a second player. Per batch, `losses` comes first and then `opponent_losses`."""

    opponent: nn.Module

    def opponent_losses(self, opponent: nn.Module, batch: Any, step: int) -> Mapping[str, Tensor]:
        """Loss terms of the opponent, on what `losses` made of this batch and kept, detached from the model.

        Their names are none of the model's. An empty mapping: the opponent does not train at this step.
        """


def adamw(module: nn.Module, options: AdamWOptions) -> torch.optim.AdamW:
    """The optimiser of one player."""
    return torch.optim.AdamW(
        module.parameters(),
        lr=options.learning_rate,
        betas=options.betas,
        eps=options.eps,
        weight_decay=options.weight_decay,
    )


class Opponent:
    """A task's opponent with its own optimiser: everything about it that the loop, and a checkpoint, must know."""

    def __init__(self, task: AdversarialTask, options: OpponentOptions, accelerator: Accelerator) -> None:
        self.task, self.options, self.accelerator = task, options, accelerator
        self.module, self.optimizer = accelerator.prepare(task.opponent, adamw(task.opponent, options.optimizer))
        self.trained = False  # whether gradients wait for this step

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While the model's losses are taken: they flow through the opponent, but not into it."""
        self.module.requires_grad_(False)
        try:
            yield
        finally:
            self.module.requires_grad_(True)

    def terms(self, batch: Any, step: int) -> Mapping[str, Tensor]:
        """The opponent's loss terms of a batch."""
        self.module.train()
        with self.accelerator.autocast():
            return self.task.opponent_losses(self.module, batch, step)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a batch."""
        self.accelerator.backward(loss)
        self.trained = True

    def step(self, factor: float) -> float | None:
        """Take a step at `factor` times the peak learning rate; returns the gradients' norm, None without any."""
        if not self.trained:
            return None
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = self.options.optimizer.learning_rate * factor
        norm = self.accelerator.clip_grad_norm_(self.module.parameters(), self.options.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.trained = False
        return float(norm)

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """What a checkpoint keeps of it, by file."""
        weights = self.accelerator.unwrap_model(self.module).state_dict()
        return {"opponent": weights, "opponent_optimizer": optimizer_tensors(self.optimizer)}

    def restore(self, tensors: Mapping[str, dict[str, Tensor]]) -> None:
        """Undo `tensors`."""
        self.accelerator.unwrap_model(self.module).load_state_dict(tensors["opponent"])
        load_optimizer_tensors(self.optimizer, tensors["opponent_optimizer"])
