"""The half of the inverse-STFT vocoder that is no network, in numpy: spectrum to samples, whole or chunk by chunk.

With the network in another runtime, this speaks without torch. It agrees with `istft.IstftVocoderNetwork.to_samples`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechkd.models.vocoder.istft_config import IstftConfig

Array = NDArray[np.float32]
# mel (1, n_mels, F) to the real and the imaginary part of the spectrum, each (1, F, bins).
Spectrum = Callable[[Array], tuple[Array, Array]]


def to_samples(real: Array, imaginary: Array, config: IstftConfig) -> Array:
    """Inverse STFT of a spectrum, each part (..., F, bins), to samples (..., F * hop); least squares, as in torch."""
    n_frames, margin = real.shape[-2], config.margin_samples
    # In place of real + 1j * imaginary, which would pass through complex128 and three temporary arrays.
    spectrum = np.empty(real.shape, np.complex64)
    spectrum.real, spectrum.imag = real, imaginary
    frames = np.fft.irfft(spectrum, config.n_fft, axis=-1).astype(np.float32, copy=False)
    frames *= _window(config.n_fft)
    inner = slice(margin, margin + n_frames * config.hop_samples)
    samples: Array = _overlap_add(frames, config.hop_samples)[..., inner]
    samples /= _weight(n_frames, config.n_fft, config.hop_samples)[inner]
    return samples


def speak(spectrum: Spectrum, mel: Array, config: IstftConfig) -> Array:
    """Samples (F * hop,) of a log-mel (F, n_mels)."""
    real, imaginary = spectrum(np.ascontiguousarray(mel.T[None], dtype=np.float32))
    return to_samples(real[0], imaginary[0], config)


def stream(spectrum: Spectrum, mel: Array, config: IstftConfig, chunk_frames: int) -> Iterator[Array]:
    """The samples of a log-mel (F, n_mels) in chunks of `chunk_frames` frames, the last one shorter.

    Each chunk hears the frames around it that it depends on, and no others, so the chunks are those of the whole.
    ValueError for chunks of no frames.
    """
    if chunk_frames < 1:
        raise ValueError(f"a chunk has at least one frame, not {chunk_frames}")
    for start in range(0, len(mel), chunk_frames):
        yield _chunk(spectrum, mel, config, start, min(start + chunk_frames, len(mel)))


def _chunk(spectrum: Spectrum, mel: Array, config: IstftConfig, start: int, end: int) -> Array:
    """The samples of frames start .. end."""
    reach = -(-config.margin_samples // config.hop_samples)
    first, last = max(0, start - reach), min(len(mel), end + reach)
    heard_first, heard_last = max(0, first - config.history_frames), last + config.look_ahead_frames
    parts = spectrum(np.ascontiguousarray(mel[heard_first:heard_last].T[None], dtype=np.float32))
    real, imaginary = (part[0, first - heard_first : last - heard_first] for part in parts)
    samples = to_samples(real, imaginary, config)
    return samples[(start - first) * config.hop_samples : (end - first) * config.hop_samples]


def _overlap_add(frames: NDArray[Any], hop: int) -> NDArray[Any]:
    """frames (..., F, N), each a hop after the one before, summed to at least (F - 1) * hop + N samples."""
    *batch, n_frames, length = frames.shape
    n_parts = -(-length // hop)
    if length < n_parts * hop:
        frames = np.concatenate([frames, np.zeros((*batch, n_frames, n_parts * hop - length), frames.dtype)], axis=-1)
    parts = frames.reshape(*batch, n_frames, n_parts, hop)
    summed = np.zeros((*batch, n_frames + n_parts - 1, hop), frames.dtype)
    for part in range(n_parts):
        summed[..., part : part + n_frames, :] += parts[..., part, :]
    return summed.reshape(*batch, -1)


@lru_cache(maxsize=4)
def _window(length: int) -> Array:
    """Periodic Hann."""
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)).astype(np.float32)


def _weight(n_frames: int, length: int, hop: int) -> Array:
    """Sum of squared windows at every sample of the overlapped frames."""
    n_parts = -(-length // hop)
    squares = np.zeros(n_parts * hop, np.float32)
    squares[:length] = _window(length) ** 2
    summed = np.zeros((n_frames + n_parts - 1, hop), np.float32)
    for part, values in enumerate(squares.reshape(n_parts, hop)):
        summed[part : part + n_frames] += values
    return summed.reshape(-1)
