"""Structural similarity against loops, closed forms, and the traps of masking it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from speechkd.losses.ssim import OFFSET, masked_ssim_loss, ssim


def by_loops(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Every window written out, for one picture (F, M); zeros beyond the edges."""
    places = np.arange(11) - 5
    line = np.exp(-(places**2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    x, y = (np.pad(each, 5) for each in (x, y))
    found = np.zeros((x.shape[0] - 10, x.shape[1] - 10))
    for i in range(found.shape[0]):
        for j in range(found.shape[1]):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            ma, mb = (weights * a).sum(), (weights * b).sum()
            va, vb = (weights * a * a).sum() - ma**2, (weights * b * b).sum() - mb**2
            cov = (weights * a * b).sum() - ma * mb
            found[i, j] = (2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4))
    return found


def pictures(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(4)
    first = 3 + torch.rand(*shape) * 3
    return first, first + 0.5 * torch.randn(*shape)


@pytest.mark.parametrize("n_frames", [1, 7, 16, 30])
def test_every_window_by_hand(n_frames: int) -> None:
    first, second = pictures(2, n_frames, 14)
    found = ssim(first, second)
    for row in range(2):
        expected = by_loops(first[row].double().numpy(), second[row].double().numpy())
        np.testing.assert_allclose(found[row], expected, atol=2e-3)


def test_the_same_picture_is_entirely_similar_and_order_does_not_matter() -> None:
    first, second = pictures(1, 20, 80)
    torch.testing.assert_close(ssim(first, first), torch.ones(1, 20, 80), atol=1e-3, rtol=0)
    torch.testing.assert_close(ssim(first, second), ssim(second, first))
    assert float(ssim(first, second).mean()) < 0.95


def test_d8_padding_changes_nothing_and_is_not_looked_at() -> None:
    first, second = pictures(2, 30, 80)
    lengths = torch.tensor([30, 18])
    mask = torch.arange(30)[None] < lengths[:, None]
    alone = [masked_ssim_loss(first[i : i + 1, :n], second[i : i + 1, :n], mask[i : i + 1, :n])
             for i, n in enumerate(lengths.tolist())]  # fmt: skip
    expected = (alone[0] * 30 + alone[1] * 18) / 48
    torch.testing.assert_close(masked_ssim_loss(first, second, mask), expected, atol=1e-6, rtol=0)
    spoilt = first.clone()
    spoilt[1, 18:] = 1e3
    torch.testing.assert_close(masked_ssim_loss(spoilt, second, mask), expected, atol=1e-6, rtol=0)


def test_d7_gradients_are_finite_where_everything_is_flat() -> None:
    target = torch.full((1, 40, 80), -OFFSET)  # the quietest mel there is
    for made in (target.clone(), torch.zeros(1, 40, 80), torch.full((1, 40, 80), -3.0)):
        made.requires_grad_(True)
        loss = masked_ssim_loss(made, target, torch.ones(1, 40, dtype=torch.bool))
        loss.backward()
        assert loss.isfinite() and made.grad is not None and made.grad.isfinite().all()


def test_d9_number_formats_and_devices_may_change() -> None:
    first, second = pictures(1, 16, 80)
    mask = torch.ones(1, 16, dtype=torch.bool)
    single = masked_ssim_loss(first, second, mask)
    half = masked_ssim_loss(first.bfloat16(), second.bfloat16(), mask)
    assert float(half) == pytest.approx(float(single), abs=0.02)
    torch.testing.assert_close(masked_ssim_loss(first, second, mask), single)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(masked_ssim_loss(first, second, mask), single)
