"""Discriminators of complex spectra at several resolutions.

After UnivNet (Jang et al., Interspeech 2021, section 2.3.1), with shorter transforms, one convolution less and fewer
channels. As in EnCodec (Défossez et al., 2022, section 3.4) the input is the complex spectrum: a vocoder that makes
its phases must be told when they are wrong.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from speechkd.models.vocoder.discriminators import SLOPE, DiscriminatorOutput
from speechkd.models.vocoder.spectral_discriminator_config import SpectralConfig

_TINY = 1e-7


class ResolutionDiscriminator(nn.Module):
    """Convolutions over time and frequency of one complex spectrum."""

    def __init__(self, fft: int, config: SpectralConfig) -> None:
        super().__init__()
        self.fft, self.compression = fft, config.compression
        self.register_buffer("window", torch.hann_window(fft), persistent=False)
        self.window: Tensor
        kernel = (config.kernel_frames, config.kernel_bins)
        around = (config.kernel_frames // 2, config.kernel_bins // 2)
        sizes = [2, *[config.channels] * (len(config.strides) - 1)]
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(before, config.channels, kernel, (1, stride), around))
            for before, stride in zip(sizes, config.strides, strict=True)
        )
        self.last = weight_norm(nn.Conv2d(config.channels, 1, 3, padding=1))

    def forward(self, samples: Tensor) -> DiscriminatorOutput:
        """samples: (B, N) -> verdict (B, frames * K), layers (B, C, frames, K), K being bins over strides."""
        x = self._view(samples)
        layers = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)
            layers.append(x)
        x = self.last(x)
        return DiscriminatorOutput(x.flatten(1), [*layers, x])

    def _view(self, samples: Tensor) -> Tensor:
        """The compressed spectrum (B, 2, frames, bins): real and imaginary part."""
        with torch.autocast(samples.device.type, enabled=False):
            spectrum = torch.stft(samples.float(), self.fft, self.fft // 4, window=self.window, return_complex=True)
            size = spectrum.real.square() + spectrum.imag.square() + _TINY
            parts = torch.stack([spectrum.real, spectrum.imag], dim=1)
            return (parts * size.unsqueeze(1) ** ((self.compression - 1.0) / 2)).transpose(2, 3)


class SpectralDiscriminator(nn.Module):
    """One discriminator per resolution."""

    def __init__(self, config: SpectralConfig) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(ResolutionDiscriminator(fft, config) for fft in config.ffts)

    def forward(self, samples: Tensor) -> list[DiscriminatorOutput]:
        """samples: (B, N), N more than half of the longest transform."""
        return [discriminator(samples) for discriminator in self.discriminators]
