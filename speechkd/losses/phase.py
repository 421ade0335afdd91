"""How far two waveforms are apart in phase, and as complex spectra.

Phases are compared by 1 - cos of their difference, which knows no wrapping, weighted by the true magnitudes: the phase
of what cannot be heard does not count. After APNet (Ai and Ling, 2023, section 3.3), whose anti-wrapped absolute
differences of phase, group delay and angular frequency these are smooth forms of.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from speechkd.losses.spectral_config import Resolution

_TINY = 1e-8


def complex_spectrum(samples: Tensor, resolution: Resolution) -> Tensor:
    """STFT of samples (B, N), centred, reflected at the ends -> complex (B, bins, frames)."""
    window = torch.hann_window(resolution.window, device=samples.device)
    return torch.stft(samples.float(), resolution.fft, resolution.hop, resolution.window, window, return_complex=True)


def phase_distance(made: Tensor, true: Tensor) -> Tensor:
    """Σ w (1 - cos(φ̂ - φ)) / Σ w with w = √|S| of the true spectrum, over complex tensors of one shape: 0 to 2."""
    cross = made.real * true.real + made.imag * true.imag
    true_size = true.real.square() + true.imag.square()
    made_size = made.real.square() + made.imag.square()
    cosine = cross * torch.rsqrt(made_size * true_size + _TINY)
    # Loudness grows about with the square root of the magnitude, which is the fourth root of its square; full weights
    # would leave all but the loudest harmonics out.
    weight = true_size.sqrt().sqrt()
    return (weight * (1.0 - cosine)).sum() / (weight.sum() + _TINY)


def frequency_distance(made: Tensor, true: Tensor) -> Tensor:
    """The same of the phases' advance from frame to frame: of spectra (B, bins, frames), two frames or more.

    It does not see a phase that is off by a constant: frequencies can be learned where phases cannot be known.
    """
    return phase_distance(_steps(made, 2), _steps(true, 2))


def delay_distance(made: Tensor, true: Tensor) -> Tensor:
    """The same of the phases' advance from bin to bin, which is where in its frame the energy lies."""
    return phase_distance(_steps(made, 1), _steps(true, 1))


def complex_distance(made: Tensor, true: Tensor) -> Tensor:
    """Σ |Ŝ - S| / Σ |S|: for waveforms that can be matched sample by sample; it shrinks what cannot be foretold."""
    difference = made - true
    size = (difference.real.square() + difference.imag.square() + _TINY).sqrt()
    return size.sum() / (true.abs().sum() + _TINY)


class PhaseLoss(nn.Module):
    """phase · d_phase + frequency · d_frequency + delay · d_delay at one resolution; a weight of 0 costs nothing."""

    def __init__(self, resolution: Resolution, phase: float = 1.0, frequency: float = 1.0, delay: float = 1.0) -> None:
        super().__init__()
        self.resolution = resolution
        weights = ((phase, phase_distance), (frequency, frequency_distance), (delay, delay_distance))
        self.terms = [(weight, distance) for weight, distance in weights if weight]

    def forward(self, made: Tensor, true: Tensor) -> Tensor:
        """made, true: (B, N) samples, N more than half of the transform -> scalar."""
        with torch.autocast(made.device.type, enabled=False):
            pair = complex_spectrum(made, self.resolution), complex_spectrum(true, self.resolution)
            terms = [weight * distance(*pair) for weight, distance in self.terms]
        return torch.stack(terms).sum() if terms else made.new_zeros(())


def _steps(spectrum: Tensor, axis: int) -> Tensor:
    """S_{k+1} · conj(S_k) / √(|S_k| |S_{k+1}|) along an axis: the phase advances, at the geometric mean of sizes."""
    length = spectrum.shape[axis] - 1
    first, second = spectrum.narrow(axis, 0, length), spectrum.narrow(axis, 1, length)
    product = second * first.conj()
    size = product.real.square() + product.imag.square() + _TINY
    return product * size.sqrt().rsqrt()
