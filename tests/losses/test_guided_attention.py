"""Guided attention against its equation, cell by cell."""

from __future__ import annotations

import math

import pytest
import torch

from speechkd.losses.guided_attention import aligned_attention, guided_attention


def by_hand(attention: torch.Tensor, tokens: list[int], frames: list[int], sigma: float) -> float:
    total = 0.0
    for row, (T, F) in enumerate(zip(tokens, frames, strict=True)):
        for head in range(attention.shape[1]):
            for f in range(F):
                for t in range(T):
                    w = 1 - math.exp(-((t / T - f / F) ** 2) / (2 * sigma**2))
                    total += float(attention[row, head, f, t]) * w
    return total / (sum(frames) * attention.shape[1])


@pytest.mark.parametrize("sigma", [0.1, 0.4])
def test_the_equation(sigma: float) -> None:
    attention = torch.rand(3, 2, 9, 5, generator=torch.Generator().manual_seed(0))
    tokens, frames = [5, 3, 1], [9, 4, 2]
    found = guided_attention(attention, torch.tensor(tokens), torch.tensor(frames), sigma)
    assert float(found) == pytest.approx(by_hand(attention, tokens, frames, sigma), rel=1e-5)


def test_the_diagonal_is_free_and_the_corner_costs_almost_one() -> None:
    lengths = torch.tensor([6])
    diagonal = torch.eye(6)[None, None]
    assert float(guided_attention(diagonal, lengths, lengths, 0.2)) == pytest.approx(0.0, abs=1e-7)
    last = torch.zeros(1, 1, 1, 100)
    last[..., -1] = 1.0
    expected = 1 - math.exp(-(0.99**2) / (2 * 0.2**2))
    assert float(guided_attention(last, torch.tensor([100]), torch.tensor([1]), 0.2)) == pytest.approx(expected)


def test_padding_does_not_count() -> None:
    attention = torch.rand(2, 1, 8, 4, generator=torch.Generator().manual_seed(1))
    tokens, frames = torch.tensor([4, 2]), torch.tensor([8, 3])
    before = guided_attention(attention, tokens, frames, 0.3)
    attention[1, :, 3:], attention[1, :, :, 2:] = 7.0, 9.0
    assert torch.equal(before, guided_attention(attention, tokens, frames, 0.3))


def test_following_its_gradient_leads_to_the_diagonal() -> None:
    logits = torch.zeros(1, 1, 12, 6, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(100):
        loss = guided_attention(logits.softmax(-1), torch.tensor([6]), torch.tensor([12]), 0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert logits[0, 0].argmax(dim=1).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_the_known_alignment_is_its_cross_entropy() -> None:
    attention = torch.rand(2, 2, 6, 3, generator=torch.Generator().manual_seed(2)).softmax(-1)
    durations, frames = torch.tensor([[1, 0, 5], [2, 1, 0]]), torch.tensor([6, 3])
    tokens = [[0, 2, 2, 2, 2, 2], [0, 0, 1]]
    logs = [
        math.log(attention[row, head, f, t]) for row in (0, 1) for head in (0, 1) for f, t in enumerate(tokens[row])
    ]
    found = aligned_attention(attention, durations, frames)
    assert float(found) == pytest.approx(-sum(logs) / len(logs), rel=1e-5)
    attention[1, :, 3:] = 0.0
    assert torch.equal(found, aligned_attention(attention, durations, frames))


def test_attention_on_the_known_alignment_costs_nothing_and_none_there_is_finite() -> None:
    durations, frames = torch.tensor([[2, 1]]), torch.tensor([3])
    right = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[None, None]
    assert float(aligned_attention(right, durations, frames)) == 0.0
    assert float(aligned_attention(1.0 - right, durations, frames)) == pytest.approx(-math.log(1e-6))
