"""Diffusion by arithmetic: noise schedules, the posterior, deterministic steps, and who asks a denoiser when.

Levels of noise are whole numbers, 0 … T: x_t = α_t x_0 + σ_t ε with α_t = √ᾱ_t and σ_t = √(1 - ᾱ_t). Level 0 is the
least noisy level, not the clean signal, which is called `CLEAN` here. Schedules are computed in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

CLEAN = -1

#: What a network gives: the clean signal (a generator), or the noise (the gradient of the log density).
Parameterisation = Literal["x0", "noise"]


@dataclass(frozen=True)
class Schedule:
    """ᾱ of every level: float64, falling."""

    alpha_bars: tuple[float, ...]

    @property
    def top(self) -> int:
        """The noisiest level, T."""
        return len(self.alpha_bars) - 1

    def alpha_bar(self, level: int) -> float:
        """ᾱ of a level; 1 of `CLEAN`."""
        return 1.0 if level == CLEAN else self.alpha_bars[level]

    def alpha(self, level: int) -> float:
        """What is left of the signal."""
        return math.sqrt(self.alpha_bar(level))

    def sigma(self, level: int) -> float:
        """Deviation of the noise."""
        return math.sqrt(1.0 - self.alpha_bar(level))

    def beta(self, level: int) -> float:
        """Share of noise that a level adds to the one before: ᾱ_t = ᾱ_{t-1} (1 - β_t)."""
        return 1.0 - self.alpha_bar(level) / self.alpha_bar(level - 1)

    def posterior(self, level: int) -> tuple[float, float, float]:
        """(c1, c2, variance) of q(x_{t-1} | x_t, x_0), whose mean is c1 x_0 + c2 x_t. At level 0: (1, 0, 0)."""
        before, here, beta = self.alpha_bar(level - 1), self.alpha_bar(level), self.beta(level)
        left = 1.0 - here
        mean = beta * math.sqrt(before) / left, (1.0 - before) * math.sqrt(1.0 - beta) / left
        return *mean, beta * (1.0 - before) / left

    def scales(self, levels: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ of levels (B,) int64, with the axes of `like` (B, …)."""
        bars = torch.tensor(self.alpha_bars, dtype=torch.float64, device=levels.device)[levels]
        shape = (-1, *[1] * (like.ndim - 1))
        alpha, sigma = bars.sqrt().view(shape), (1.0 - bars).sqrt().view(shape)
        return alpha.to(like.dtype), sigma.to(like.dtype)

    def diffuse(self, clean: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """x_t of every row at its own level. The levels are left as they are."""
        alpha, sigma = self.scales(levels, clean)
        return alpha * clean + sigma * noise

    def clean(self, noisy: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """x_0 of a prediction of the noise: (x_t - σ_t ε) / α_t."""
        alpha, sigma = self.scales(levels, noisy)
        return (noisy - sigma * noise) / alpha

    def ddim(self, noisy: Tensor, clean: Tensor, level: int, lower: int) -> Tensor:
        """The deterministic step from a level to a lower one: x_s = α_s x_0 + (σ_s / σ_t)(x_t - α_t x_0)."""
        if lower == CLEAN:
            return clean
        share = self.sigma(lower) / self.sigma(level)
        return self.alpha(lower) * clean + share * (noisy - self.alpha(level) * clean)

    def ddim_rows(self, noisy: Tensor, clean: Tensor, levels: Tensor, lower: Tensor) -> Tensor:
        """`ddim` of rows (B, …), each from its own level (B,) to its own lower one (B,), none of them `CLEAN`."""
        (alpha, sigma), (alpha_lower, sigma_lower) = (self.scales(each, noisy) for each in (levels, lower))
        return alpha_lower * clean + sigma_lower / sigma * (noisy - alpha * clean)

    def mixture_weight(self, level: int, middle: int, lower: int) -> float:
        """w of x̃ = w x̂' + (1 - w) x̂: what a single step must predict to land where two land.

        x̂ is the prediction at `level`, x̂' that at `middle`. Two deterministic steps end at x_s; solving
        x_s = ddim(x_t, x̃) for x̃ by subtraction divides by α_s - σ_s α_t / σ_t, which is tiny at high levels; this is
        the same number without the division of differences (Salimans and Ho, ICLR 2022, appendix G).
        """
        if lower == CLEAN:
            return 1.0
        alphas, sigmas = ([each(at) for at in (level, middle, lower)] for each in (self.alpha, self.sigma))
        second = alphas[2] - sigmas[2] * alphas[1] / sigmas[1]
        return second / (alphas[2] - sigmas[2] * alphas[0] / sigmas[0])


def vp_schedule(n_steps: int, beta_min: float = 0.1, beta_max: float = 40.0) -> Schedule:
    """The variance-preserving schedule of ProDiff's code: T + 1 levels, ᾱ(u) = exp(-β_min u - (β_max - β_min) u² / 2).

    u = (level + 1) / (T + 1), so that the last ᾱ is the same for every T.
    """
    count = n_steps + 1
    places = [(level + 1) / count for level in range(count)]
    return Schedule(tuple(math.exp(-beta_min * u - 0.5 * (beta_max - beta_min) * u * u) for u in places))


@dataclass(frozen=True)
class Step:
    """One call of a denoiser: on x at `level`, conditioned on `index`; then on to `lower`."""

    level: int
    index: int
    lower: int


#: (x_t, step) -> the clean signal as the denoiser sees it.
Denoise = Callable[[Tensor, Step], Tensor]


def teacher_steps(schedule: Schedule) -> tuple[Step, ...]:
    """T steps from level T - 1 down: the index is the level. (Level T is trained on, too, and never sampled from.)"""
    return tuple(Step(level, level, level - 1) for level in reversed(range(schedule.top)))


def student_steps(schedule: Schedule, stride: int) -> tuple[Step, ...]:
    """T / stride steps from level T; the index is `stride` under the level, as in ProDiff's code.

    Raises ValueError if the stride does not divide T.
    """
    if schedule.top % stride:
        raise ValueError(f"{schedule.top} levels are no whole number of strides of {stride}")
    levels = range(schedule.top, 0, -stride)
    return tuple(Step(level, level - stride, level - stride if level > stride else CLEAN) for level in levels)


def coarse_steps(steps: tuple[Step, ...], n_steps: int) -> tuple[Step, ...]:
    """Fewer steps along the same chain, each down several of its steps. ValueError unless they divide its number."""
    if n_steps < 1 or len(steps) % n_steps:
        raise ValueError(f"{n_steps} does not divide the {len(steps)} steps of the model")
    kept = steps[:: len(steps) // n_steps]
    lower = [*(step.level for step in kept[1:]), CLEAN]
    return tuple(Step(step.level, step.index, down) for step, down in zip(kept, lower, strict=True))


def sample_by_steps(schedule: Schedule, steps: tuple[Step, ...], denoise: Denoise, noise: Tensor) -> Tensor:
    """Deterministic sampling: from `noise` (B, …) at the first step's level to the clean signal, a call per step."""
    x = noise
    for step in steps:
        x = schedule.ddim(x, denoise(x, step), step.level, step.lower)
    return x


def sample_by_posterior(
    schedule: Schedule,
    steps: tuple[Step, ...],
    denoise: Denoise,
    noise: Tensor,
    draw: Callable[[Tensor], Tensor] = torch.randn_like,
) -> Tensor:
    """Ancestral sampling by the one-step posterior of each step's *index*, with new noise in every step but the last.

    draw: standard normal noise of the shape of x, asked for once in each of those steps.

    For a teacher the index is the level and this is DDPM. For a student it is what ProDiff's released loop does: x
    lands one level under the index, and the next call, which was trained on another level, takes it as it is.
    """
    x = noise
    for step in steps:
        c1, c2, variance = schedule.posterior(step.index)
        x = c1 * denoise(x, step) + c2 * x
        if variance > 0.0:
            x = x + math.sqrt(variance) * draw(x)
    return x
