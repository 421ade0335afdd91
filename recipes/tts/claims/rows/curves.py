"""Curves of validation loss: where they reach a level, and in which unit."""

from __future__ import annotations

from collections.abc import Sequence


def step_reaching(points: Sequence[Sequence[float]], level: float) -> float | None:
    """The step at which a curve of [step, loss] first comes down to a level, on straight lines between its points.

    None if it never does. A curve that begins below the level reaches it at its first point.
    """
    before: Sequence[float] | None = None
    for step, loss in points:
        if loss <= level:
            if before is None:
                return float(step)
            return float(before[0] + (step - before[0]) * (before[1] - level) / (before[1] - loss))
        before = (step, loss)
    return None


def as_l1(points: Sequence[Sequence[float]], of: str, l1: float) -> list[list[float]]:
    """A curve as mean absolute errors. One of squared errors is taken to be proportional to their roots.

    The factor is that of the weights that were kept: `l1`, over the root of the least loss of the curve.
    """
    if of == "l1":
        return [[step, loss] for step, loss in points]
    factor = l1 / min(loss for _, loss in points) ** 0.5
    return [[step, factor * loss**0.5] for step, loss in points]
