"""What the training loop can be told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from speechkd.config import Config


class AdamWOptions(Config):
    """AdamW (Loshchilov and Hutter, 2019); weight_decay 0 is Adam."""

    name: Literal["adamw"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate")
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = Field(1e-9, gt=0)
    weight_decay: float = Field(0.0, ge=0)


class NoamSchedule(Config):
    """lr = peak · min(step / warmup, √(warmup / step)): Vaswani et al. 2017, equation 3, by its peak."""

    name: Literal["noam"] = "noam"
    warmup_steps: int = Field(4000, ge=1)


class CosineSchedule(Config):
    """Linear warm-up, then half a cosine down to `floor` times the peak at the last step."""

    name: Literal["cosine"] = "cosine"
    warmup_steps: int = Field(400, ge=1)
    floor: float = Field(0.02, ge=0, le=1)


class ExponentialSchedule(Config):
    """Linear warm-up, and the peak times `decay` once more after every `every_steps` steps."""

    name: Literal["exponential"] = "exponential"
    warmup_steps: int = Field(0, ge=0)
    decay: float = Field(0.999, gt=0, le=1)
    every_steps: int = Field(1, ge=1)


Schedule = Annotated[NoamSchedule | CosineSchedule | ExponentialSchedule, Field(discriminator="name")]


class TrainOptions(Config):
    """One training run."""

    max_steps: int = Field(ge=1, description="optimiser steps; the run's length is counted in steps, never in time")
    seed: int = Field(1234, ge=0)
    batch_frames: int = Field(6000, ge=1, description="mel frames per batch, padding included")
    accumulate: int = Field(1, ge=1, description="batches per optimiser step")
    optimizer: AdamWOptions = AdamWOptions()
    schedule: Schedule = CosineSchedule()
    clip_norm: float = Field(1.0, gt=0, description="gradients are scaled down to this norm")
    ema_decay: float = Field(0.0, ge=0, lt=1, description="moving average of the weights; 0 turns it off")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto takes bf16 where the processor computes it natively"
    )
    threads: int = Field(0, ge=0, description="CPU threads; 0 leaves torch's own choice")
    log_every_steps: int = Field(50, ge=1)
    valid_every_steps: int = Field(500, ge=1)
    checkpoint_every_steps: int = Field(500, ge=1)
    keep_checkpoints: int = Field(2, ge=1, description="newest checkpoints kept; the best one is kept besides")
    best_by: str = Field(
        "loss", description="the validation figure that decides which weights are kept; last: the newest are"
    )
    patience: int = Field(0, ge=0, description="validations without improvement before an early stop; 0 never stops")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Schedules that cannot finish."""
        if self.schedule.warmup_steps > self.max_steps:
            yield "schedule.warmup_steps", f"{self.schedule.warmup_steps} is more than max_steps {self.max_steps}"


class OpponentOptions(Config):
    """How the second player of adversarial training learns; its learning rate follows the schedule of the run."""

    optimizer: AdamWOptions = AdamWOptions()
    clip_norm: float = Field(1.0, gt=0, description="gradients are scaled down to this norm")


class AdversarialTrainOptions(TrainOptions):
    """One training run of two players."""

    opponent: OpponentOptions = OpponentOptions()
