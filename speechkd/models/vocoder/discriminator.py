"""The discriminator of Parallel WaveGAN (Yamamoto et al., ICASSP 2020, section 3.2)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from speechkd.models.vocoder.discriminator_config import DiscriminatorConfig


class WaveformDiscriminator(nn.Module):
    """Non-causal dilated convolutions with leaky ReLUs: one verdict per sample.

    Dilation grows by one from layer to layer, 1 to 8 of ten; the first and the last convolution are not dilated.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        dilations = [1, *range(1, config.layers - 1), 1]
        sizes = [1, *[config.channels] * (config.layers - 1), 1]
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv1d(before, after, config.kernel, dilation=each, padding=config.kernel // 2 * each))
            for (before, after), each in zip(pairwise(sizes), dilations, strict=True)
        )
        self.activation = nn.LeakyReLU(config.slope)

    def forward(self, samples: Tensor) -> Tensor:
        """samples: (B, N) -> verdicts (B, N)."""
        x = samples.unsqueeze(1)
        for conv in self.convs[:-1]:
            x = self.activation(conv(x))
        verdicts: Tensor = self.convs[-1](x).squeeze(1)
        return verdicts
