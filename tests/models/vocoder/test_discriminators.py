"""HiFi-GAN's discriminators against a second forward pass with bare functions, and against the published sizes."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.vocoder.discriminators import (
    DiscriminatorOutput,
    Discriminators,
    MultiPeriodDiscriminator,
    MultiScaleDiscriminator,
    make_discriminators,
)
from speechkd.models.vocoder.discriminators_config import DiscriminatorsConfig, PeriodConfig, ScaleConfig

TINY_PERIOD = PeriodConfig(periods=(2, 3), channels=(4, 6))
TINY_SCALE = ScaleConfig(scales=2, channels=(4, 8, 8), kernels=(5, 7, 3), strides=(1, 4, 1), groups=(1, 4, 1))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_sizes_of_the_published_discriminators() -> None:
    """Weights, biases, and where there is weight norm a gain per output channel, from the table of the paper."""
    period = MultiPeriodDiscriminator(PeriodConfig())
    rows = [(a, b, 5) for a, b in pairwise((1, 32, 128, 512, 1024, 1024))] + [(1024, 1, 3)]
    assert count(period) == 5 * sum(a * b * k + 2 * b for a, b, k in rows)
    assert count(period) / 1e6 == pytest.approx(41.1, abs=0.05)
    scale = MultiScaleDiscriminator(ScaleConfig())
    table = [(1, 128, 15, 1), (128, 128, 41, 4), (128, 256, 41, 16), (256, 512, 41, 16), (512, 1024, 41, 16),
             (1024, 1024, 41, 16), (1024, 1024, 5, 1), (1024, 1, 3, 1)]  # fmt: skip
    weights, channels = sum(a * b * k // g for a, b, k, g in table), sum(b for _, b, _, _ in table)
    assert count(scale) == 3 * (weights + channels) + 2 * channels
    assert count(scale) / 1e6 == pytest.approx(29.6, abs=0.05)


def minimal(convs: nn.ModuleList, last: nn.Module, x: Tensor, strides: list[int], groups: list[int]) -> list[Tensor]:
    """The layers, the verdict last, with bare functions: 2-d convolutions one column at a time."""
    columns = [x] if x.dim() == 3 else list(x.unbind(3))
    outputs: list[list[Tensor]] = []
    for conv, stride, group in zip([*convs, last], [*strides, 1], [*groups, 1], strict=True):
        weight = conv.weight if x.dim() == 3 else conv.weight[..., 0]
        padding = weight.shape[2] // 2
        columns = [F.conv1d(each, weight, conv.bias, stride, padding, groups=group) for each in columns]
        if conv is not last:
            columns = [torch.where(each > 0, each, 0.1 * each) for each in columns]
        outputs.append(columns)
    return [layer[0] if x.dim() == 3 else torch.stack(layer, dim=3) for layer in outputs]


def assert_equal(found: DiscriminatorOutput, expected: list[Tensor]) -> None:
    torch.testing.assert_close(found.layers, expected)
    torch.testing.assert_close(found.verdict, expected[-1].flatten(1))


def test_periods_see_every_column_for_itself() -> None:
    torch.manual_seed(0)
    module = MultiPeriodDiscriminator(TINY_PERIOD).eval()
    samples = torch.randn(2, 61)
    for output, part, period in zip(module(samples), module.discriminators, (2, 3), strict=True):
        missing = -61 % period
        padded = torch.cat([samples, samples[:, -1 - missing : -1].flip(1)], dim=1)
        columns = torch.stack([padded[:, start::period] for start in range(period)], dim=2)[:, None]
        assert_equal(output, minimal(part.convs, part.conv_post, columns, [3, 1], [1, 1]))


def test_scales_see_averages() -> None:
    torch.manual_seed(0)
    module = MultiScaleDiscriminator(TINY_SCALE).eval()
    samples = torch.randn(2, 64)
    padded = F.pad(samples, (2, 2))
    halved = torch.stack([padded[:, at : at + 4].mean(dim=1) for at in range(0, 65, 2)], dim=1)
    for output, part, heard in zip(module(samples), module.discriminators, (samples, halved), strict=True):
        assert_equal(output, minimal(part.convs, part.conv_post, heard[:, None], [1, 4, 1], [1, 4, 1]))


def test_the_first_scale_is_held_by_its_spectral_norm() -> None:
    torch.manual_seed(0)
    module = MultiScaleDiscriminator(TINY_SCALE).train()
    for _ in range(50):  # each pass in training is a step of the power iteration
        module(torch.randn(1, 64))
    first, second = module.discriminators
    largest = [float(torch.linalg.svdvals(conv.weight.detach().flatten(1))[0]) for conv in first.convs]
    assert largest == pytest.approx([1.0] * 3, rel=1e-3)
    others = [float(torch.linalg.svdvals(conv.weight.detach().flatten(1))[0]) for conv in second.convs]
    assert max(abs(value - 1) for value in others) > 0.01


def test_a_smaller_game_has_the_same_layers() -> None:
    config = DiscriminatorsConfig(period=PeriodConfig(divide=8), scale=ScaleConfig(divide=16))
    whole, small = (make_discriminators(each) for each in (DiscriminatorsConfig(), config))
    assert count(small.members[0]) < count(whole.members[0]) / 60  # grouped convolutions keep their groups
    assert count(small.members[1]) < count(whole.members[1]) / 200
    assert [name for name, _ in small.named_parameters()] == [name for name, _ in whole.named_parameters()]


def test_any_members_are_one_list_and_one_can_be_left_out() -> None:
    class Loudness(nn.Module):
        def forward(self, samples: Tensor) -> list[DiscriminatorOutput]:
            return [DiscriminatorOutput(samples.square().mean(dim=1, keepdim=True), [samples])]

    module = Discriminators([MultiPeriodDiscriminator(TINY_PERIOD), Loudness()])
    outputs = module(torch.ones(3, 50))
    assert len(outputs) == 3 and outputs[-1].verdict.tolist() == [[1.0]] * 3
    assert len(make_discriminators(DiscriminatorsConfig(scale=None, period=TINY_PERIOD))(torch.ones(3, 50))) == 2


def test_impossible_sizes_are_problems() -> None:
    assert [path for path, _ in PeriodConfig(kernel=4, periods=(0, 2)).problems()] == ["kernel", "periods"]
    assert [path for path, _ in ScaleConfig(strides=(1,), kernels=(4,) * 7).problems()] == ["strides", "kernels"]
    assert [path for path, _ in ScaleConfig(divide=48).problems()] == ["divide"]
    assert [path for path, _ in PeriodConfig(divide=64).problems()] == ["divide"]
    assert [path for path, _ in DiscriminatorsConfig(period=None, scale=None).problems()] == [""]
    assert not [*PeriodConfig().problems(), *ScaleConfig().problems(), *DiscriminatorsConfig().problems()]
