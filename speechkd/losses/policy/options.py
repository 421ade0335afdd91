"""Choices of the policy-gradient loss. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from speechkd.config import Config

RewardKind = Literal["incremental", "prefix", "prefix_value", "terminal"]
EndReward = Literal["missing", "free"]
Estimator = Literal["windows", "sentence", "reward_to_go"]


class Reward(Config):
    """What a sampled character earns; see `step_rewards`."""

    kind: RewardKind = "incremental"
    end: EndReward = Field("missing", description="missing: stopping pays for what was not said; free: it earns 0")
    normalise: bool = Field(False, description="divide rewards by their standard deviation over the minibatch")


class Baseline(Config):
    """What is taken from each reward, as a reward per step."""

    name: Literal["none", "moving_average", "leave_one_out", "greedy"] = "leave_one_out"
    samples: int = Field(4, ge=1, description="sampled texts per clip")
    decay: float = Field(0.95, ge=0.0, lt=1.0, description="of the moving average")

    def problems(self) -> Iterable[tuple[str, str]]:
        """One sample has no others to compare with."""
        if self.name == "leave_one_out" and self.samples < 2:
            yield "samples", "leave_one_out compares a sample with the others of its clip: at least 2"


class Estimate(Config):
    """How rewards become weights of log-probabilities; see `step_weights`."""

    estimator: Estimator = "windows"
    kernel: int = Field(5, ge=1, description="steps in a window")
    stride: int = Field(1, ge=1, description="steps from window to window")
    match_scale: bool = Field(False, description="give the weights the root mean square of kernel 1, stride 1")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Steps between two windows would never be trained."""
        if self.estimator == "windows" and self.stride > self.kernel:
            yield "stride", f"{self.stride} leaves steps between windows of {self.kernel} without a gradient"
