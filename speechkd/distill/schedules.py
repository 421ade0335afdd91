"""Weights of loss terms as pure functions of the optimiser step (from 1). They can stand in a configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from speechkd.config import Config


class Ramp(Config):
    """w(s) = start up to `from_step`, end from `to_step` on, and a straight line between."""

    name: Literal["ramp"] = "ramp"
    from_step: int = Field(ge=0, description="last step with the weight `start`")
    to_step: int = Field(ge=1, description="first step with the weight `end`")
    start: float = 0.0
    end: float = 1.0

    @model_validator(mode="after")
    def _goes_forward(self) -> Ramp:
        if self.to_step <= self.from_step:
            raise ValueError(f"to_step {self.to_step} is not after from_step {self.from_step}")
        return self

    def at(self, step: int) -> float:
        """The weight at a step."""
        share = min(max((step - self.from_step) / (self.to_step - self.from_step), 0.0), 1.0)
        return (1.0 - share) * self.start + share * self.end

    def __str__(self) -> str:
        return f"{self.start:g} → {self.end:g}, steps {self.from_step} to {self.to_step}"


class During(Config):
    """w(s) = value from `first_step` to `last_step`, both included, else 0: a delayed start, or an early end."""

    name: Literal["during"] = "during"
    value: float = 1.0
    first_step: int = Field(1, ge=1)
    last_step: int | None = Field(None, ge=1, description="null: to the end of the run")

    @model_validator(mode="after")
    def _goes_forward(self) -> During:
        if self.last_step is not None and self.last_step < self.first_step:
            raise ValueError(f"last_step {self.last_step} is before first_step {self.first_step}")
        return self

    def at(self, step: int) -> float:
        """The weight at a step."""
        started = step >= self.first_step
        return self.value if started and (self.last_step is None or step <= self.last_step) else 0.0

    def __str__(self) -> str:
        until = "on" if self.last_step is None else f"to {self.last_step}"
        return f"{self.value:g}, from step {self.first_step} {until}"


Schedule = Annotated[Ramp | During, Field(discriminator="name")]
Weight = float | Schedule
"""A constant weight, or one that depends on the step."""


def weight_at(weight: float | Ramp | During, step: int) -> float:
    """The weight at an optimiser step, counted from 1."""
    return float(weight) if isinstance(weight, (int, float)) else weight.at(step)


def describe(weight: float | Ramp | During) -> str:
    """The weight for people."""
    return f"{weight:g}" if isinstance(weight, (int, float)) else str(weight)
