"""The weak head over a CNN's map and a ViT's tokens."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from speechkd.distill.taps import Taps
from speechkd.losses.classes import label_smoothing
from speechkd.models.vision.weak_head import Pooling, WeakHead, pooled

LABELS = torch.tensor([3, 0])


def test_a_map_is_averaged_over_its_places() -> None:
    features = torch.arange(24.0).view(2, 3, 2, 2)
    expected = [[sum(range(4 * i, 4 * i + 4)) / 4 for i in range(3 * b, 3 * b + 3)] for b in range(2)]
    torch.testing.assert_close(pooled(features, "map"), torch.tensor(expected))


def test_of_tokens_the_first_is_taken_and_the_others_do_not_matter() -> None:
    torch.manual_seed(0)
    features, head = torch.randn(2, 5, 3), WeakHead(3, 4, "class_token")
    expected = features[:, 0] @ head.classify.weight.T + head.classify.bias
    torch.testing.assert_close(head(features), expected)
    features[:, 1:] = 0
    torch.testing.assert_close(head(features), expected)


@pytest.mark.parametrize(("pooling", "shape"), [("map", (2, 5, 3)), ("class_token", (2, 3, 4, 4))])
def test_features_of_the_other_kind_are_refused(pooling: Pooling, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{pooling}: features of"):
        pooled(torch.zeros(shape), pooling)


class Tokens(nn.Module):
    """A ViT in small: pictures to tokens."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).transpose(1, 2)


def student(pooling: Pooling) -> nn.Sequential:
    first = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU() if pooling == "map" else Tokens())
    last = nn.Sequential(nn.Flatten(), nn.Linear(6 * 16, 4))
    return nn.Sequential(first, last)


@pytest.mark.parametrize("pooling", ["map", "class_token"])
def test_its_loss_teaches_the_backbone_before_the_tap_and_nothing_after(pooling: Pooling) -> None:
    torch.manual_seed(0)
    model, head = student(pooling), WeakHead(6, 4, pooling)
    with Taps(model, {"middle": "0"}) as taps:
        model(torch.randn(2, 1, 6, 6))
    label_smoothing(head(taps["middle"]), LABELS).backward()
    before, after = model[0][0].weight.grad, model[1][1].weight.grad
    assert before is not None and before.any() and after is None


@pytest.mark.parametrize("pooling", ["map", "class_token"])
def test_trap_8_the_student_has_neither_head_nor_hook(pooling: Pooling) -> None:
    model, head = student(pooling), WeakHead(6, 4, pooling)
    names = set(model.state_dict())
    with Taps(model, {"middle": "0"}) as taps:
        model(torch.zeros(2, 1, 6, 6))
    head(taps["middle"])
    assert set(model.state_dict()) == names == {"0.0.weight", "0.0.bias", "1.1.weight", "1.1.bias"}
    assert not any(module._forward_hooks for module in model.modules())


def test_it_is_one_linear_layer() -> None:
    shapes = {name: tuple(value.shape) for name, value in WeakHead(256, 100, "map").named_parameters()}
    assert shapes == {"classify.weight": (100, 256), "classify.bias": (100,)}
