"""The pitch loss was NaN from the first step: log F0 of the padding is minus infinity, and infinity times 0 is NaN."""

from __future__ import annotations

import torch

from speechkd.losses.masked import masked_l1, masked_mse


def test_what_stands_in_the_padding_does_not_matter() -> None:
    predicted = torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    target = torch.log(torch.tensor([[1.0, 1.0, 0.0]]))
    mask = torch.tensor([[True, True, False]])
    for loss, expected in ((masked_l1, 1.5), (masked_mse, 2.5)):
        value = loss(predicted, target, mask)
        assert value.item() == expected
        (gradient,) = torch.autograd.grad(value, predicted)
        assert torch.isfinite(gradient).all()
        assert gradient[0, 2] == 0
