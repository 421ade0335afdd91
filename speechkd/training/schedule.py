"""Learning rates as pure functions of the step."""

from __future__ import annotations

import math

from speechkd.training.options import CosineSchedule, ExponentialSchedule, NoamSchedule, Schedule


def learning_rate_factor(schedule: Schedule, step: int, max_steps: int) -> float:
    """Factor on the peak learning rate at a step counted from 1."""
    if isinstance(schedule, NoamSchedule):
        return min(step / schedule.warmup_steps, math.sqrt(schedule.warmup_steps / step))
    if isinstance(schedule, ExponentialSchedule):
        warm = min(1.0, step / schedule.warmup_steps) if schedule.warmup_steps else 1.0
        return warm * schedule.decay ** ((step - 1) // schedule.every_steps)
    return _cosine(schedule, step, max_steps)


def _cosine(schedule: CosineSchedule, step: int, max_steps: int) -> float:
    if step <= schedule.warmup_steps:
        return step / schedule.warmup_steps
    progress = (step - schedule.warmup_steps) / max(1, max_steps - schedule.warmup_steps)
    return schedule.floor + (1.0 - schedule.floor) * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
