"""Parallel WaveGAN's discriminator."""

from __future__ import annotations

import torch

from speechkd.models.vocoder.discriminator import WaveformDiscriminator
from speechkd.models.vocoder.discriminator_config import DiscriminatorConfig


def test_the_published_layers() -> None:
    model = WaveformDiscriminator(DiscriminatorConfig())
    assert [conv.dilation[0] for conv in model.convs] == [1, 1, 2, 3, 4, 5, 6, 7, 8, 1]
    assert [conv.in_channels for conv in model.convs] == [1] + [64] * 9
    assert [conv.out_channels for conv in model.convs] == [64] * 9 + [1]
    assert model.activation.negative_slope == 0.2


def test_it_judges_every_sample_by_those_around_it() -> None:
    """Not causal: 1 + (1 + … + 8) + 1 samples to either side."""
    torch.manual_seed(0)
    model = WaveformDiscriminator(DiscriminatorConfig(channels=8)).double()
    samples = torch.randn(1, 201, dtype=torch.float64)
    moved = samples.clone()
    moved[0, 100] += 1.0
    verdicts = model(samples)
    assert verdicts.shape == samples.shape
    changed = (model(moved) - verdicts)[0].nonzero().flatten()
    assert (int(changed.min()), int(changed.max())) == (100 - 38, 100 + 38)
