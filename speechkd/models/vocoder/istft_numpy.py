"""The half of the inverse-STFT vocoder that is no network, in numpy: filters to samples, whole or chunk by chunk.

With the network in another runtime, this speaks without torch. It agrees with `istft.IstftVocoderNetwork`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechkd.models.vocoder.excitation import cycles, hann_window, harmonics, noise
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.models.vocoder.repitch import envelope_gain, level_gain

Array = NDArray[np.float32]


class Filters(NamedTuple):
    """What the network makes of a mel (1, n_mels, F)."""

    real: Array  # (1, F, bins): of the pulses' filter
    imaginary: Array
    noise: Array  # (1, F, bins): magnitude of the noise's filter
    f0_hz: Array  # (1, F): of the pulses, in every frame


Network = Callable[[Array], Filters]


def speak(network: Network, mel: Array, config: IstftConfig, pitch: Array | None = None) -> Array:
    """Samples (F * hop,) of a log-mel (F, n_mels); `pitch` (F,) multiplies that of the mel, 1 where it stays."""
    made = _at_pitch(network(np.ascontiguousarray(mel.T[None], dtype=np.float32)), pitch, config)
    return to_samples(_excited(made, slice(None), harmonics(made.f0_hz[0], config), 0, config), config)


def stream(
    network: Network,
    mel: Array,
    config: IstftConfig,
    chunk_frames: int,
    *,
    first_frames: int | None = None,
    pitch: Array | None = None,
) -> Iterator[Array]:
    """The samples of a log-mel (F, n_mels) in chunks of `chunk_frames` frames, the last one shorter.

    Each chunk hears the frames around it that it depends on, and no others; of the past before them it knows one
    number, the phase of the pulses. So the chunks are those of the whole. The first one may have another length,
    `first_frames`; `pitch` as in `speak`. ValueError for chunks of no frames.
    """
    first = chunk_frames if first_frames is None else first_frames
    if min(chunk_frames, first) < 1:
        raise ValueError(f"a chunk has at least one frame, not {min(chunk_frames, first)}")
    phases = {0: 0.0}  # of frames whose pulses a chunk begins with
    for start in (0, *range(first, len(mel), chunk_frames)):
        stop = min(start + chunk_frames if start else first, len(mel))
        yield _chunk(network, mel, config, range(start, stop), phases, pitch)


def _chunk(
    network: Network,
    mel: Array,
    config: IstftConfig,
    hops: range,
    phases: dict[int, float],
    pitch: Array | None,
) -> Array:
    """The samples of the frames `hops`; takes the phase of its first frame out of `phases`, leaves the next one's."""
    overlap = -(-config.margin_samples // config.hop_samples)
    first, last = max(0, hops.start - overlap), min(len(mel), hops.stop + overlap)
    pulsed, end = _pulsed(hops.start, config), min(len(mel), last + config.reach_frames)
    heard, seen = max(0, pulsed - config.history_frames), min(len(mel), end + config.look_ahead_frames)
    made = network(np.ascontiguousarray(mel[heard:seen].T[None], dtype=np.float32))
    made = _at_pitch(made, None if pitch is None else pitch[heard:seen], config)
    f0_hz, phase = made.f0_hz[0, pulsed - heard : end - heard], phases.pop(pulsed)
    following = _pulsed(hops.stop, config)
    if following < end:
        phases[following] = float(cycles(f0_hz, config, phase)[following - pulsed])
    pulses = harmonics(f0_hz, config, phase)[first - pulsed : last - pulsed]
    samples = to_samples(_excited(made, slice(first - heard, last - heard), pulses, first, config), config)
    return samples[(hops.start - first) * config.hop_samples : (hops.stop - first) * config.hop_samples]


def _at_pitch(made: Filters, pitch: Array | None, config: IstftConfig) -> Filters:
    """The filters with their pitch multiplied by `pitch` (F,), and as loud as before."""
    if pitch is None or np.all(pitch == 1.0):
        return made
    gain = envelope_gain(made.real[0], made.imaginary[0], made.f0_hz[0], config) * level_gain(pitch)[:, None]
    gain[pitch == 1.0] = 1.0
    return Filters(made.real * gain, made.imaginary * gain, made.noise, made.f0_hz * pitch)


def _pulsed(start: int, config: IstftConfig) -> int:
    """The first frame whose pulses are heard in a chunk that begins with the hop `start`."""
    return max(0, start - -(-config.margin_samples // config.hop_samples) - config.reach_frames)


def _excited(made: Filters, rows: slice, pulses: NDArray[Any], first: int, config: IstftConfig) -> NDArray[Any]:
    """The spectrum (F, bins) of some rows of the filters; `first` is the frame that the first of them is."""
    spectrum = np.empty(pulses.shape, np.complex64)
    # In place of real + 1j * imaginary, which would pass through complex128 and three temporary arrays.
    spectrum.real, spectrum.imag = made.real[0, rows], made.imaginary[0, rows]
    spectrum *= pulses
    spectrum += made.noise[0, rows] * noise(first, len(pulses), config)
    return spectrum


def to_samples(spectrum: NDArray[Any], config: IstftConfig) -> Array:
    """Inverse STFT of a spectrum (..., F, bins) to samples (..., F * hop); least squares, as in torch."""
    n_frames, margin = spectrum.shape[-2], config.margin_samples
    frames = np.fft.irfft(spectrum, config.n_fft, axis=-1).astype(np.float32, copy=False)
    frames *= hann_window(config.n_fft)
    inner = slice(margin, margin + n_frames * config.hop_samples)
    samples: Array = _overlap_add(frames, config.hop_samples)[..., inner]
    samples /= _weight(n_frames, config.n_fft, config.hop_samples)[inner]
    return samples


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


def _weight(n_frames: int, length: int, hop: int) -> Array:
    """Sum of squared windows at every sample of the overlapped frames."""
    n_parts = -(-length // hop)
    squares = np.zeros(n_parts * hop, np.float32)
    squares[:length] = hann_window(length) ** 2
    summed = np.zeros((n_frames + n_parts - 1, hop), np.float32)
    for part, values in enumerate(squares.reshape(n_parts, hop)):
        summed[part : part + n_frames] += values
    return summed.reshape(-1)
