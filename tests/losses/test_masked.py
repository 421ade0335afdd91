"""Masked means against a loop in Python; what stands in the padding does not matter."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from speechkd.losses.masked import masked_bce, masked_distance, masked_frame_distance, masked_l1, masked_mse
from speechkd.models.common.masks import length_mask

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def binary_cross_entropy(logit: float, target: float) -> float:
    p = 1 / (1 + math.exp(-logit))
    return -(target * math.log(p) + (1 - target) * math.log(1 - p))


CASES: list[tuple[Loss, Callable[[float, float], float]]] = [
    (masked_l1, lambda p, t: abs(p - t)),
    (masked_mse, lambda p, t: (p - t) ** 2),
    (masked_bce, binary_cross_entropy),
]
LENGTHS = torch.tensor([4, 1, 6])
IDS = ["l1", "mse", "bce"]


def batch(loss: Loss, channels: tuple[int, ...] = ()) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    predicted, target = (torch.randn(3, 6, *channels, generator=generator) for _ in range(2))
    return predicted, (target > 0).float() if loss is masked_bce else target, length_mask(LENGTHS)


@pytest.mark.parametrize(("loss", "term"), CASES, ids=IDS)
@pytest.mark.parametrize("channels", [(), (5,)])
def test_the_mean_runs_over_valid_positions(loss: Loss, term: Callable, channels: tuple[int, ...]) -> None:
    predicted, target, mask = batch(loss, channels)
    terms = [
        term(p, t)
        for row, n in enumerate(LENGTHS.tolist())
        for p, t in zip(predicted[row, :n].flatten().tolist(), target[row, :n].flatten().tolist(), strict=True)
    ]
    assert float(loss(predicted, target, mask)) == pytest.approx(sum(terms) / len(terms), rel=1e-5)


@pytest.mark.parametrize(("loss", "term"), CASES, ids=IDS)
@pytest.mark.parametrize("junk", [math.nan, math.inf, -math.inf, 1e30])
@pytest.mark.parametrize("channels", [(), (5,)])
def test_junk_in_the_padding_reaches_neither_the_loss_nor_the_gradient(
    loss: Loss, term: Callable, junk: float, channels: tuple[int, ...]
) -> None:
    predicted, target, mask = batch(loss, channels)
    clean = loss(predicted, target, mask)
    padding = ~mask.view(*mask.shape, *(1 for _ in channels))
    for junk_predicted, junk_target in ((junk, 0.0), (0.0, junk), (junk, junk)):
        leaf = predicted.masked_fill(padding, junk_predicted).requires_grad_()
        value = loss(leaf, target.masked_fill(padding, junk_target), mask)
        value.backward()
        assert value.item() == clean.item()
        assert leaf.grad is not None
        assert leaf.grad[mask].isfinite().all() and leaf.grad[mask].abs().sum() > 0
        assert not leaf.grad[~mask].any()


@pytest.mark.parametrize(("loss", "term"), CASES, ids=IDS)
def test_nothing_valid_is_no_loss(loss: Loss, term: Callable) -> None:
    predicted, target, mask = batch(loss)
    assert float(loss(predicted, target, torch.zeros_like(mask))) == 0.0


@pytest.mark.parametrize(("loss", "term"), CASES, ids=IDS)
def test_a_longer_padding_does_not_change_the_loss(loss: Loss, term: Callable) -> None:
    predicted, target, mask = batch(loss)
    longer = [torch.nn.functional.pad(each, (0, 9)) for each in (predicted, target, mask)]
    torch.testing.assert_close(loss(*longer), loss(predicted, target, mask))


def test_the_distance_of_frames_is_a_mean_of_roots() -> None:
    """By a loop over the valid frames."""
    predicted, target, mask = batch(masked_frame_distance, (5,))
    expected = [
        math.sqrt(sum(d * d for d in (predicted[b, f] - target[b, f]).tolist()) / 5)
        for b, length in enumerate(LENGTHS.tolist())
        for f in range(length)
    ]
    value = masked_frame_distance(predicted, target, mask)
    assert float(value) == pytest.approx(sum(expected) / len(expected), rel=1e-4)
    assert value.equal(masked_distance("frame", predicted, target, mask))
    long = [torch.nn.functional.pad(each, (0, 0, 0, 3), value=math.inf) for each in (predicted, target)]
    assert float(masked_frame_distance(*long, length_mask(LENGTHS, 9))) == pytest.approx(float(value))


def test_frames_that_meet_have_a_gradient() -> None:
    predicted = torch.zeros(1, 2, 5, requires_grad=True)
    masked_frame_distance(predicted, torch.zeros(1, 2, 5), length_mask(torch.tensor([2]))).backward()
    assert predicted.grad is not None and not predicted.grad.any()


def test_frames_settle_at_the_geometric_median() -> None:
    """Of three points on a line that is the middle one, wherever the others are; squares settle at the mean."""
    points = torch.tensor([0.0, 1.0, 10.0]).view(3, 1, 1).expand(3, 1, 2)
    for kind, expected in (("frame", 1.0), ("mse", 11 / 3)):
        at = torch.full((1, 1, 2), 4.0, requires_grad=True)
        optimiser = torch.optim.Adam([at], lr=0.1)
        for _ in range(300):
            optimiser.zero_grad()
            masked_distance(kind, at.expand(3, 1, 2), points, torch.ones(3, 1, dtype=torch.bool)).backward()
            optimiser.step()
        assert float(at.detach()[0, 0, 0]) == pytest.approx(expected, abs=0.1)
