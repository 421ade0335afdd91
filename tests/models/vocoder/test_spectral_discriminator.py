"""The discriminator of spectra: what it sees, and that it can tell wrong phases from right ones."""

from __future__ import annotations

import math

import pytest
import torch

from speechkd.models.vocoder.discriminators import Discriminators
from speechkd.models.vocoder.spectral_discriminator import ResolutionDiscriminator, SpectralDiscriminator
from speechkd.models.vocoder.spectral_discriminator_config import SpectralConfig

TINY = SpectralConfig(ffts=(64, 32), channels=4, strides=(2, 1), kernel_bins=3)


def test_one_output_per_resolution_with_every_layer():
    outputs = Discriminators([SpectralDiscriminator(TINY)])(torch.randn(2, 320))
    assert [each.verdict.shape for each in outputs] == [(2, 21 * 17), (2, 41 * 9)]
    assert [len(each.layers) for each in outputs] == [3, 3]
    assert outputs[0].layers[0].shape == (2, 4, 21, 17)
    assert torch.equal(outputs[1].layers[-1].flatten(1), outputs[1].verdict)


def test_sees_the_compressed_spectrum():
    torch.manual_seed(0)
    discriminator = ResolutionDiscriminator(64, TINY)
    samples = torch.randn(1, 320)
    spectrum = torch.stft(samples, 64, 16, window=torch.hann_window(64), return_complex=True)[0].T
    view = discriminator._view(samples)
    found = torch.complex(view[0, 0], view[0, 1])
    torch.testing.assert_close(found.abs(), spectrum.abs() ** 0.3, atol=5e-3, rtol=1e-3)
    loud = spectrum.abs() > 0.1
    torch.testing.assert_close(torch.cos(found.angle() - spectrum.angle())[loud], torch.ones(int(loud.sum())))


def test_silence_has_gradients():
    samples = torch.zeros(1, 320, requires_grad=True)
    SpectralDiscriminator(TINY)(samples)[0].verdict.sum().backward()
    assert torch.isfinite(samples.grad).all()


def test_learns_to_tell_phases_apart():
    """Clicks against the same magnitudes with other phases: a discriminator of magnitudes could not know."""
    torch.manual_seed(0)
    discriminator = SpectralDiscriminator(TINY)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=0.02)
    time = torch.arange(320) / 320.0
    harmonics = 2 * math.pi * torch.arange(20, 60, 4)[:, None] * time

    def batch():
        moved = torch.rand(6, 1, 1) * 2 * math.pi
        aligned = torch.cos(harmonics + moved).sum(1)
        random = torch.cos(harmonics + torch.rand(6, 10, 1) * 2 * math.pi).sum(1)
        return aligned, random

    for _ in range(60):
        optimizer.zero_grad()
        real, made = batch()
        loss = sum(((d.verdict - 1) ** 2).mean() for d in discriminator(real))
        loss = loss + sum((d.verdict**2).mean() for d in discriminator(made))
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        real, made = (torch.stack([d.verdict.mean(1) for d in discriminator(x)]).mean(0) for x in batch())
    assert real.min() > made.max()


@pytest.mark.parametrize("change", [{"kernel_bins": 4}, {"kernel_frames": 2}, {"strides": (0,)}, {"ffts": (30,)}])
def test_config_refuses(change):
    assert list(TINY.problems()) == []
    assert [name for name, _ in TINY.model_copy(update=change).problems()] == list(change)
