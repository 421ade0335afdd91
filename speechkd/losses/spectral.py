"""How far two waveforms are apart as spectrograms of several resolutions (Parallel WaveGAN: Yamamoto et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from speechkd.losses.spectral_config import PUBLISHED, Resolution

# Under the power of silence at 16 bits; keeps the square root and the logarithm finite.
_LEAST_POWER = 1e-7


def magnitude(samples: Tensor, resolution: Resolution) -> Tensor:
    """√max(|STFT|², 1e-7) of samples (B, N), centred, reflected at the ends -> (B, bins, frames)."""
    window = torch.hann_window(resolution.window, device=samples.device)
    spectrum = torch.stft(
        samples.float(), resolution.fft, resolution.hop, resolution.window, window, return_complex=True
    )
    return (spectrum.real.square() + spectrum.imag.square()).clamp(min=_LEAST_POWER).sqrt()


def spectral_convergence(made: Tensor, true: Tensor) -> Tensor:
    """‖|S| - |Ŝ|‖_F / ‖|S|‖_F over the whole batch (equation 4): a silent row is no division by zero."""
    return torch.linalg.vector_norm(true - made) / torch.linalg.vector_norm(true)


def log_magnitude_distance(made: Tensor, true: Tensor) -> Tensor:
    """Mean of |ln |S| - ln |Ŝ|| (equation 5)."""
    return (true.log() - made.log()).abs().mean()


class MultiResolutionStftLoss(nn.Module):
    """Mean over the resolutions of spectral convergence plus log magnitude distance (equations 3 to 6)."""

    def __init__(self, resolutions: tuple[Resolution, ...] = PUBLISHED) -> None:
        super().__init__()
        self.resolutions = resolutions

    def forward(self, made: Tensor, true: Tensor) -> Tensor:
        """made, true: (B, N) samples, N more than half of the longest transform -> scalar."""
        terms = []
        with torch.autocast(made.device.type, enabled=False):
            for resolution in self.resolutions:
                pair = magnitude(made, resolution), magnitude(true, resolution)
                terms.append(spectral_convergence(*pair) + log_magnitude_distance(*pair))
        return torch.stack(terms).mean()
