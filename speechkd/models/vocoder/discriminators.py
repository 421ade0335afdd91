"""HiFi-GAN's discriminators (Kong, Kim, Bae: HiFi-GAN, NeurIPS 2020, section 2.3 and appendix A.2).

Parameters bear the names of the published checkpoints' `mpd` and `msd`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import gcd

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from speechkd.models.vocoder.discriminators_config import DiscriminatorsConfig, PeriodConfig, ScaleConfig

SLOPE = 0.1
Norm = Callable[[nn.Module], nn.Module]


@dataclass
class DiscriminatorOutput:
    """What one discriminator says: `verdict` (B, …), near 1 where real; `layers`, the outputs of its layers.

    The last of the layers is the verdict itself, which feature matching compares as well.
    """

    verdict: Tensor
    layers: list[Tensor]


def _judge(convs: nn.ModuleList, last: nn.Module, x: Tensor) -> DiscriminatorOutput:
    layers = []
    for conv in convs:
        x = F.leaky_relu(conv(x), SLOPE)
        layers.append(x)
    x = last(x)
    return DiscriminatorOutput(x.flatten(1), [*layers, x])


class PeriodDiscriminator(nn.Module):
    """Samples as columns of every `period`-th one, each column seen for itself."""

    def __init__(self, period: int, config: PeriodConfig) -> None:
        super().__init__()
        self.period = period
        half = config.kernel // 2
        sizes = [1, *config.sizes]
        strides = [config.stride] * (len(config.sizes) - 1) + [1]
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(before, after, (config.kernel, 1), (stride, 1), (half, 0)))
            for (before, after), stride in zip(pairwise(sizes), strides, strict=True)
        )
        self.conv_post = weight_norm(nn.Conv2d(sizes[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, samples: Tensor) -> DiscriminatorOutput:
        """samples: (B, N), N at least the period -> verdict (B, rows * period), layers (B, C, rows, period)."""
        missing = -samples.shape[1] % self.period
        x = F.pad(samples.unsqueeze(1), (0, missing), mode="reflect") if missing else samples.unsqueeze(1)
        return _judge(self.convs, self.conv_post, x.unflatten(2, (-1, self.period)))


class ScaleDiscriminator(nn.Module):
    """Grouped, strided convolutions over the samples themselves."""

    def __init__(self, config: ScaleConfig, norm: Norm) -> None:
        super().__init__()
        sizes = [1, *config.sizes]
        rows = zip(pairwise(sizes), config.kernels, config.strides, config.groups, strict=True)
        self.convs = nn.ModuleList(
            norm(nn.Conv1d(before, after, kernel, stride, kernel // 2, groups=gcd(groups, before, after)))
            for (before, after), kernel, stride, groups in rows
        )
        self.conv_post = norm(nn.Conv1d(sizes[-1], 1, 3, 1, 1))

    def forward(self, samples: Tensor) -> DiscriminatorOutput:
        """samples: (B, N) -> verdict (B, N'), layers (B, C, N'), N' being N over the strides so far."""
        return _judge(self.convs, self.conv_post, samples.unsqueeze(1))


class MultiPeriodDiscriminator(nn.Module):
    """One discriminator per period."""

    def __init__(self, config: PeriodConfig) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(PeriodDiscriminator(period, config) for period in config.periods)

    def forward(self, samples: Tensor) -> list[DiscriminatorOutput]:
        """samples: (B, N)."""
        return [discriminator(samples) for discriminator in self.discriminators]


class MultiScaleDiscriminator(nn.Module):
    """One discriminator per scale: the samples, and their averages over 4 samples, 2 apart, again and again.

    The first one is held by spectral norm, the others by weight norm.
    """

    def __init__(self, config: ScaleConfig) -> None:
        super().__init__()
        norms: list[Norm] = [spectral_norm] + [weight_norm] * (config.scales - 1)
        self.discriminators = nn.ModuleList(ScaleDiscriminator(config, norm) for norm in norms)

    def forward(self, samples: Tensor) -> list[DiscriminatorOutput]:
        """samples: (B, N)."""
        outputs = []
        for index, discriminator in enumerate(self.discriminators):
            if index:
                samples = F.avg_pool1d(samples.unsqueeze(1), 4, 2, padding=2).squeeze(1)
            outputs.append(discriminator(samples))
        return outputs


class Discriminators(nn.Module):
    """Several discriminators, whose outputs are one list. Each member maps (B, N) to a list of outputs."""

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, samples: Tensor) -> list[DiscriminatorOutput]:
        """samples: (B, N)."""
        return [output for member in self.members for output in member(samples)]


def make_discriminators(config: DiscriminatorsConfig) -> Discriminators:
    """HiFi-GAN's discriminators as the configuration has them."""
    members: list[nn.Module] = []
    if config.period is not None:
        members.append(MultiPeriodDiscriminator(config.period))
    if config.scale is not None:
        members.append(MultiScaleDiscriminator(config.scale))
    return Discriminators(members)
