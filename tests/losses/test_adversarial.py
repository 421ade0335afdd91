"""Least-squares adversarial losses in closed form."""

from __future__ import annotations

import pytest
import torch

from speechkd.losses.adversarial import discriminator_loss, feature_matching_loss, generator_loss


def test_who_is_fooled_pays() -> None:
    right, wrong = [torch.ones(2, 5)], [torch.zeros(2, 5)]
    assert float(discriminator_loss(right, wrong)) == 0.0
    assert float(discriminator_loss(wrong, right)) == 2.0
    assert float(generator_loss(right)) == 0.0 and float(generator_loss(wrong)) == 1.0


def test_means_within_a_discriminator_sums_over_them() -> None:
    made = [torch.tensor([[0.5, 0.0]]), torch.tensor([2.0, 2.0, 2.0])]
    real = [torch.tensor([[1.0, 0.8]]), torch.tensor([0.0, 1.0, 1.0])]
    assert float(generator_loss(made)) == pytest.approx((0.25 + 1.0) / 2 + 1.0)
    assert float(discriminator_loss(real, made)) == pytest.approx((0.04 / 2 + 0.25 / 2) + (1 / 3 + 4.0))


def test_feature_matching_is_l1_per_layer_and_moves_only_what_is_made() -> None:
    real = [[torch.tensor([1.0, 3.0], requires_grad=True)], [torch.tensor([0.0]), torch.tensor([4.0])]]
    made = [[torch.tensor([2.0, 3.0], requires_grad=True)], [torch.tensor([2.0]), torch.tensor([1.0])]]
    loss = feature_matching_loss(real, made)
    assert loss.item() == pytest.approx(0.5 + 2.0 + 3.0)
    loss.backward()
    assert real[0][0].grad is None and made[0][0].grad is not None


def test_unequal_numbers_of_verdicts_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        discriminator_loss([torch.ones(1), torch.ones(1)], [torch.ones(1)])
