"""The continuous wavelet transform of a pitch contour, and its inverse.

Source: FastSpeech 2 (Ren et al., ICLR 2021), section 2.3 and appendix D; the wavelet is the Mexican hat. Scales are
counted in frames. The paper's begin with 20 ms and those of its authors' code with 10 ms, which are 1.7 and 0.9 frames
of 11.6 ms; here they begin with one frame. From two frames upwards the steps of a contour are lost (where an unvoiced
stretch ends, where the tracker jumps), whatever the length of the clip and the treatment of its ends:
`tools/check_features.py CORPUS --smallest-scale 2` counts the contours that then do not come back.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]
Inverse = Literal["paper", "matched"]

N_SCALES = 10
SMALLEST_SCALE_FRAMES = 1.0
# The periods that the scales are asked to bring back, in smallest scales: the fastest they hardly see, the slowest.
_MATCHED_PERIODS = (2.0, 2048.0)
_MATCHED_POINTS = 400


def scales_frames(smallest: float = SMALLEST_SCALE_FRAMES) -> list[float]:
    """The ten scales in frames, one per octave: 1, 2, 4, …, 512 unless the smallest is another."""
    return [smallest * 2.0**octave for octave in range(N_SCALES)]


def mexican_hat(offset_frames: Array, scale: float) -> Doubles:
    """ψ(x / τ) / √τ at offsets x in frames, where ψ(u) = 2 / (√3 π^¼) (1 - u²) exp(-u² / 2) and τ is the scale."""
    u = np.asarray(offset_frames, dtype=np.float64) / scale
    hat = 2.0 / (np.sqrt(3.0) * np.pi**0.25) * (1.0 - u**2) * np.exp(-(u**2) / 2.0)
    return np.asarray(hat / np.sqrt(scale))


def cwt(normalised: Array, smallest: float = SMALLEST_SCALE_FRAMES) -> npt.NDArray[np.float32]:
    """Continuous wavelet transform of a normalised contour (frames,): (frames, 10), unweighted.

    W(τ, t) = τ^-½ Σ_x F(x) ψ((x - t) / τ); beyond its ends the contour stands at its mean, 0.
    """
    n_frames = len(normalised)
    # From here on the ends do not meet: offsets up to n - 1 on either side are all different modulo the size.
    size = 2 ** (2 * n_frames - 1).bit_length()
    spectrum = rfft(normalised.astype(np.float64), n=size)
    rows = irfft(spectrum * _hat_spectra(size, smallest), n=size)[:, :n_frames]
    return np.ascontiguousarray(rows.T, dtype=np.float32)


@lru_cache(maxsize=32)
def _hat_spectra(size: int, smallest: float) -> Doubles:
    """Spectra (10, size // 2 + 1) of the wavelets centred on sample 0: they are even, so their spectra are real."""
    offsets = np.minimum(np.arange(size), size - np.arange(size)).astype(np.float64)
    return np.asarray(rfft(np.stack([mexican_hat(offsets, scale) for scale in scales_frames(smallest)])).real)


def scale_weights(inverse: Inverse = "paper", smallest: float = SMALLEST_SCALE_FRAMES) -> Doubles:
    """The weight of each scale in the reconstruction: (10,).

    `paper`: (i + 2.5)^(-5/2) for i = 1..10 (appendix D), whatever the scales. `matched`: those that bring waves of all
    periods back with the same height, by least squares; they belong to the scales, not to a corpus or a length.
    """
    if inverse == "paper":
        return np.asarray((np.arange(1, N_SCALES + 1) + 2.5) ** -2.5)
    return _matched_weights(smallest)


@lru_cache(maxsize=8)
def _matched_weights(smallest: float) -> Doubles:
    shortest, longest = _MATCHED_PERIODS
    periods = smallest * np.geomspace(shortest, longest, _MATCHED_POINTS)
    response = np.stack([_response(periods, scale) for scale in scales_frames(smallest)], axis=1)
    return np.asarray(np.linalg.lstsq(response, np.ones(len(periods)), rcond=None)[0])


def _response(periods_frames: Doubles, scale: float) -> Doubles:
    """How high a wave of height 1 stands in the transform at one scale, by its period."""
    reach = int(np.ceil(8.0 * scale))
    offsets = np.arange(-reach, reach + 1, dtype=np.float64)
    return np.asarray(np.cos(2.0 * np.pi / periods_frames[:, None] * offsets) @ mexican_hat(offsets, scale))


def reconstruct(wavelet: Tensor, weights: Tensor, mask: Tensor) -> Tensor:
    """Contours (B, F) of transforms (B, F, 10): Σ weight_i W_i, of mean 0 and deviation 1 over valid frames.

    mask: (B, F). What lies past the mask is never looked at, and 0 in the result.
    """
    return standardise(wavelet @ weights, mask)


def standardise(contour: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and deviation 1 over the valid positions of each row: contour (B, P), mask (B, P)."""
    count = mask.sum(dim=1, keepdim=True).clamp(min=1)
    mean = contour.masked_fill(~mask, 0.0).sum(dim=1, keepdim=True) / count
    centred = (contour - mean).masked_fill(~mask, 0.0)
    deviation = (centred.square().sum(dim=1, keepdim=True) / count).sqrt()
    return centred / deviation.clamp(min=1e-8)


def inverse_cwt(wavelet: Array, weights: Doubles | None = None) -> npt.NDArray[np.float32]:
    """Contour (frames,) of one transform (frames, 10), brought back to mean 0 and deviation 1.

    The same code as the model's. The weights are the paper's unless given.
    """
    import torch

    rows = torch.from_numpy(np.asarray(wavelet, dtype=np.float64))[None]
    weighing = torch.from_numpy(scale_weights() if weights is None else weights)
    mask = torch.ones(rows.shape[:2], dtype=torch.bool)
    return reconstruct(rows, weighing, mask)[0].numpy().astype(np.float32)
