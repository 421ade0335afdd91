"""Diffusion's arithmetic against the published numbers of ProDiff's schedule, closed forms and an oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from speechkd.models.common.diffusion import (
    CLEAN,
    Schedule,
    Step,
    coarse_steps,
    sample_by_posterior,
    sample_by_steps,
    student_steps,
    teacher_steps,
    vp_schedule,
)

FOUR = vp_schedule(4)
# i: beta, alpha bar, alpha, sigma, of the released configuration (T = 4, β from 0.1 to 40).
TABLE = {
    0: (0.55869, 0.44131, 0.66431, 0.74745),
    1: (0.91054, 0.039478, 0.19869, 0.98006),
    2: (0.98187, 7.1588e-4, 0.026756, 0.99964),
    3: (0.99632, 2.6314e-6, 1.6222e-3, 0.999999),
    4: (0.99925, 1.9606e-9, 4.4e-5, 1.0),
}


@pytest.mark.parametrize("level", TABLE)
def test_the_published_schedule(level: int) -> None:
    found = (FOUR.beta(level), FOUR.alpha_bar(level), FOUR.alpha(level), FOUR.sigma(level))
    for value, expected in zip(found, TABLE[level], strict=True):
        assert value == pytest.approx(expected, rel=1e-2 if expected == 4.4e-5 else 1e-4)


@pytest.mark.parametrize("n_steps", [1, 2, 4, 7, 128])
def test_alphas_are_products_of_the_codes_betas(n_steps: int) -> None:
    """β_s = 1 - exp(-β_min / K - (β_max - β_min)(2s - 1) / 2K²), and the last ᾱ is the same for every T."""
    k = n_steps + 1
    s = np.arange(1, k + 1)
    betas = 1 - np.exp(-0.1 / k - 0.5 * 39.9 * (2 * s - 1) / k**2)
    schedule = vp_schedule(n_steps)
    np.testing.assert_allclose(schedule.alpha_bars, np.cumprod(1 - betas), rtol=1e-9)
    assert schedule.top == n_steps and schedule.alpha_bars[-1] == pytest.approx(1.96e-9, rel=1e-2)


def test_the_posterior() -> None:
    expected = {0: (1, 0, 0), 1: (0.6297, 0.1740, 0.5296), 2: (0.1952, 0.1294, 0.9438), 3: (0.0267, 0.0606, 0.9956)}
    for level, values in expected.items():
        assert FOUR.posterior(level) == pytest.approx(values, abs=6e-5)
    assert FOUR.posterior(0) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_posterior_is_the_one_of_two_gaussians(level: int) -> None:
    """By conditioning the joint Gaussian of (x_{t-1}, x_t) given x_0."""
    a, b = FOUR.alpha(level - 1), math.sqrt(1 - FOUR.beta(level))
    before, here = FOUR.sigma(level - 1) ** 2, FOUR.sigma(level) ** 2
    gain = b * before / here
    c1, c2, variance = FOUR.posterior(level)
    assert c2 == pytest.approx(gain) and c1 == pytest.approx(a - gain * FOUR.alpha(level))
    assert variance == pytest.approx(before - gain * b * before)


def test_rows_have_their_own_levels_and_keep_them() -> None:
    levels = torch.tensor([0, 4, 2])
    clean, noise = torch.randn(3, 5, 7), torch.randn(3, 5, 7)
    given = levels.clone()
    noisy = FOUR.diffuse(clean, noise, levels)
    for row, level in enumerate(levels.tolist()):
        expected = FOUR.alpha(level) * clean[row] + FOUR.sigma(level) * noise[row]
        torch.testing.assert_close(noisy[row], expected)
    assert levels.equal(given)  # D5: the released code changes them in place
    wide = [each.double() for each in (noisy, noise, clean)]
    exact = FOUR.diffuse(wide[2], wide[1], levels)
    torch.testing.assert_close(FOUR.clean(exact, wide[1], levels), wide[2], atol=1e-8, rtol=0)


@pytest.mark.parametrize(("level", "weight"), [(4, 0.9410), (2, 0.7959)])
def test_two_deterministic_steps_and_inversion_are_the_mixture(level: int, weight: float) -> None:
    torch.manual_seed(level)
    noisy, first, second = (torch.randn(2, 80, 30) for _ in range(3))
    middle = FOUR.ddim(noisy, first, level, level - 1)
    landed = FOUR.ddim(middle, second, level - 1, level - 2)
    found = FOUR.mixture_weight(level, level - 1, level - 2)
    assert found == pytest.approx(weight, abs=5e-5)
    mixture = found * second + (1 - found) * first
    # One step with the mixture lands there.
    torch.testing.assert_close(FOUR.ddim(noisy, mixture, level, level - 2), landed, atol=1e-5, rtol=0)
    share = FOUR.sigma(level - 2) / FOUR.sigma(level)
    by_subtraction = (landed.double() - share * noisy.double()) / (FOUR.alpha(level - 2) - share * FOUR.alpha(level))
    torch.testing.assert_close(by_subtraction.float(), mixture, atol=1e-5 * (37 if level == 4 else 1), rtol=0)


def test_d10_the_mixture_keeps_its_digits_in_half_precision() -> None:
    """At level 4 the subtraction form divides by 0.0267: it multiplies the rounding of fp16 by 37."""
    torch.manual_seed(0)
    noisy, first, second = (torch.randn(80, 200, dtype=torch.float64) for _ in range(3))
    weight = FOUR.mixture_weight(4, 3, 2)
    exact = weight * second + (1 - weight) * first
    halves = [each.half() for each in (noisy, first, second)]
    mixture = weight * halves[2] + (1 - weight) * halves[1]
    landed = FOUR.ddim(FOUR.ddim(halves[0], halves[1], 4, 3), halves[2], 3, 2)
    share = FOUR.sigma(2) / FOUR.sigma(4)
    subtraction = (landed - share * halves[0]) / (FOUR.alpha(2) - share * FOUR.alpha(4))
    errors = [float((each.double() - exact).square().mean().sqrt()) for each in (mixture, subtraction)]
    assert errors[0] < 1e-3 and errors[1] > 10 * errors[0], errors


class Counted:
    """A denoiser that knows the answer, and counts."""

    def __init__(self, clean: Tensor) -> None:
        self.clean = clean
        self.indices: list[int] = []

    def __call__(self, noisy: Tensor, step: Step) -> Tensor:
        assert noisy.shape == self.clean.shape
        self.indices.append(step.index)
        return self.clean


def test_d1_d2_d4_how_often_a_denoiser_is_asked_and_about_what() -> None:
    """Two calls of the student and four of the teacher, whichever sampler."""
    for sampler in (sample_by_steps, sample_by_posterior):
        for steps, indices in ((student_steps(FOUR, 2), [2, 0]), (teacher_steps(FOUR), [3, 2, 1, 0])):
            oracle = Counted(torch.randn(2, 80, 9))
            sampler(FOUR, steps, oracle, torch.randn(2, 80, 9))
            assert oracle.indices == indices
    assert [(step.level, step.lower) for step in student_steps(FOUR, 2)] == [(4, 2), (2, CLEAN)]
    assert [step.lower for step in teacher_steps(FOUR)] == [2, 1, 0, CLEAN]


@pytest.mark.parametrize(("top", "stride"), [(4, 0), (4, 2), (4, 4), (16, 2), (16, 4), (16, 8), (128, 0), (2, 0)])
def test_an_oracles_answer_comes_out_of_every_sampler(top: int, stride: int) -> None:
    schedule = vp_schedule(top)
    steps = student_steps(schedule, stride) if stride else teacher_steps(schedule)
    clean = torch.randn(3, 8, 5)
    for sampler in (sample_by_steps, sample_by_posterior):
        found = sampler(schedule, steps, Counted(clean), torch.randn(3, 8, 5))
        torch.testing.assert_close(found, clean, atol=1e-6, rtol=0)


def test_fewer_steps_along_the_same_chain() -> None:
    assert coarse_steps(teacher_steps(FOUR), 4) == teacher_steps(FOUR)
    assert coarse_steps(teacher_steps(FOUR), 2) == (Step(3, 3, 1), Step(1, 1, CLEAN))
    assert coarse_steps(student_steps(FOUR, 2), 1) == (Step(4, 2, CLEAN),)
    for wrong in (0, 3, 8):
        with pytest.raises(ValueError, match=f"{wrong} does not divide the 4 steps"):
            coarse_steps(teacher_steps(FOUR), wrong)


def test_a_stride_must_fit() -> None:
    with pytest.raises(ValueError, match="4 levels are no whole number of strides of 3"):
        student_steps(FOUR, 3)


def test_ancestral_samples_are_spread_as_the_posterior_says() -> None:
    """Two steps with a network that always says zero: the result of the first is Gaussian with the closed form."""
    schedule = Schedule((0.5, 0.2))
    torch.manual_seed(1)
    noise = torch.randn(200_000, 1)
    seen = []

    def denoise(noisy: Tensor, step: Step) -> Tensor:
        seen.append(noisy)
        return torch.zeros_like(noisy)

    out = sample_by_posterior(schedule, (Step(1, 1, 0), Step(0, 0, CLEAN)), denoise, noise)
    _, c2, variance = schedule.posterior(1)
    assert float(seen[1].var()) == pytest.approx(c2**2 + variance, rel=0.02)
    assert not out.any()
