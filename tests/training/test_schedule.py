"""Learning rates against the formulas they come from."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from speechkd.training.options import CosineSchedule, ExponentialSchedule, NoamSchedule, TrainOptions
from speechkd.training.schedule import learning_rate_factor

STEPS = (1, 2, 399, 400, 401, 3999, 4000, 4001, 20_000, 160_000)


@pytest.mark.parametrize("step", STEPS)
def test_noam_is_vaswanis_formula_over_its_peak(step: int) -> None:
    """lr = d^-½ min(step^-½, step · warmup^-³ᐟ²), which peaks at d^-½ warmup^-½."""
    warmup, channels = 4000, 256
    vaswani = channels**-0.5 * min(step**-0.5, step * warmup**-1.5)
    peak = channels**-0.5 * warmup**-0.5
    factor = learning_rate_factor(NoamSchedule(warmup_steps=warmup), step, 160_000)
    assert factor * peak == pytest.approx(vaswani)


def test_the_published_peak_is_that_of_the_paper_configuration() -> None:
    peak = 256**-0.5 * 4000**-0.5
    assert peak == pytest.approx(9.88e-4, rel=1e-3)


@pytest.mark.parametrize("step", STEPS)
def test_cosine(step: int) -> None:
    warmup, floor, last = 400, 0.02, 4000
    if step <= warmup:
        expected = step / warmup
    elif step >= last:
        expected = floor
    else:
        expected = floor + (1 - floor) * math.cos(math.pi / 2 * (step - warmup) / (last - warmup)) ** 2
    assert learning_rate_factor(CosineSchedule(warmup_steps=warmup, floor=floor), step, last) == pytest.approx(expected)


def test_the_first_step_learns_and_the_peak_is_reached_once() -> None:
    for schedule in (NoamSchedule(warmup_steps=50), CosineSchedule(warmup_steps=50)):
        factors = [learning_rate_factor(schedule, step, 1000) for step in range(1, 1001)]
        assert factors[0] == pytest.approx(1 / 50) and max(factors) == factors[49] == pytest.approx(1)
        assert factors[49:] == sorted(factors[49:], reverse=True) and min(factors) > 0


def test_a_run_may_be_all_warm_up_but_not_shorter() -> None:
    assert learning_rate_factor(CosineSchedule(warmup_steps=10), 10, 10) == pytest.approx(1)
    assert not list(TrainOptions(max_steps=10, schedule=CosineSchedule(warmup_steps=10)).problems())
    problems = list(TrainOptions(max_steps=9, schedule=CosineSchedule(warmup_steps=10)).problems())
    assert problems == [("schedule.warmup_steps", "10 is more than max_steps 9")]


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValidationError, match="noam"):
        TrainOptions.model_validate({"max_steps": 10, "schedule": {"name": "linear"}})


def test_exponential_by_hand() -> None:
    schedule = ExponentialSchedule(decay=0.5, every_steps=3)
    assert [learning_rate_factor(schedule, step, 9) for step in range(1, 8)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]
    warm = ExponentialSchedule(decay=0.5, every_steps=3, warmup_steps=2)
    assert [learning_rate_factor(warm, step, 9) for step in range(1, 5)] == [0.5, 1, 1, 0.5]
    # As published with HiFi-GAN: after 100 epochs of 809 steps at 0.999.
    published = ExponentialSchedule(decay=0.999, every_steps=809)
    assert learning_rate_factor(published, 80_901, 2_500_000) == pytest.approx(0.999**100)
