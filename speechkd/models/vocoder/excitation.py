"""What excites the filters of the inverse-STFT vocoder: a train of pulses at the pitch, and noise, as spectra. Numpy.

Neither is learned and no gradient passes through it, so training, torch and onnx all take it from here. A phase that
grows by the pitch from frame to frame, which networks learn slowly, is simply there (source and filter: Fant, 1960; in
neural vocoders: Wang et al., "Neural source-filter waveform models", 2019; with filters of spectra: Liu et al.,
"Neural homomorphic vocoder", Interspeech 2020).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from speechkd.models.vocoder.istft_config import IstftConfig

Array = npt.NDArray[np.floating]
Spectra = npt.NDArray[np.complex64]
# The noise repeats after so many frames: 3 s at 256 samples and 22,050 Hz, longer than an ear remembers noise.
NOISE_FRAMES = 256
# More rounds would flatten it little further.
_FLATTENING_ROUNDS = 2
# This near to the top of a pulse, the closed form below is 0 / 0.
_TOP = 1e-7
# Under a magnitude that something is divided by.
_TINY = 1e-9


def cycles(f0_hz: Array, config: IstftConfig, start: float = 0.0) -> npt.NDArray[np.float64]:
    """The phase of the pulses in periods at the middle of each frame, `start` in the first: (F,) of a pitch (F,)."""
    f0 = np.asarray(f0_hz, dtype=np.float64)
    steps = (f0[1:] + f0[:-1]) * (0.5 * config.hop_samples / config.sample_rate)
    return np.concatenate([[start], start + np.cumsum(steps)])


def harmonics(f0_hz: Array, config: IstftConfig, start: float = 0.0) -> Spectra:
    """Spectra (F, bins) of pulses at a pitch (F,) that is nowhere 0, with the phase of `cycles`.

    Every harmonic under half the sample rate has the magnitude 1 where it is steady.
    """
    return _spectra(_pulses(f0_hz, config, start), config) * np.float32(2.0 / hann_window(config.n_fft).sum())


def noise(first: int, n_frames: int, config: IstftConfig) -> Spectra:
    """Spectra (n_frames, bins) of white noise, from its frame `first` on: the same at every call, of power 1.

    Of nearly one magnitude, too, in every frame and bin.
    """
    return _noise(config.n_fft, config.hop_samples)[(first + np.arange(n_frames)) % NOISE_FRAMES]


@lru_cache(maxsize=4)
def hann_window(length: int) -> npt.NDArray[np.float32]:
    """Periodic Hann."""
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)).astype(np.float32)


def _pulses(f0_hz: Array, config: IstftConfig, start: float) -> npt.NDArray[np.float32]:
    """Σ cos(2π k phase) over the harmonics k below half the sample rate, by the closed form of Dirichlet's kernel.

    From a margin before the first hop to one after the last. Between the middles of frames phases are straight lines;
    before the first and after the last the pitch stays.
    """
    hop, reach = config.hop_samples, config.reach_frames
    held = np.pad(np.asarray(f0_hz, dtype=np.float64), reach, mode="edge")
    middles = cycles(held, config, start - reach * held[0] * hop / config.sample_rate)
    steps = np.diff(middles)[:, None]
    ramps = (np.arange(hop) / hop).astype(np.float32)
    phase = (middles[:-1, None] % 1.0).astype(np.float32) + steps.astype(np.float32) * ramps
    phase -= np.round(phase)
    top = np.abs(phase) < _TOP
    phase[top] = 0.5
    count = np.floor(0.5 * hop / steps).astype(np.float32)
    pulses: npt.NDArray[np.float32] = np.sin((np.float32(np.pi) * (2.0 * count + 1.0)) * phase)
    pulses /= np.sin(np.float32(np.pi) * phase)
    pulses -= 1.0
    pulses *= 0.5
    pulses[top] = np.broadcast_to(count, top.shape)[top]
    offset = reach * hop - config.n_fft // 2  # the first middle lies so far before the margin
    return pulses.reshape(-1)[offset : offset + len(f0_hz) * hop + 2 * config.margin_samples]


def _spectra(samples: npt.NDArray[np.float32], config: IstftConfig) -> Spectra:
    """Of the windowed frames of samples (F * hop + 2 * margin,)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, config.n_fft)[:: config.hop_samples]
    # In double precision: four times as fast as in single, as numpy is.
    return np.fft.rfft((frames * hann_window(config.n_fft)).astype(np.float64)).astype(np.complex64)


@lru_cache(maxsize=4)
def _noise(n_fft: int, hop_samples: int) -> Spectra:
    """Spectra of a ring of noise: its last frames reach around into its first samples.

    It is noise of low fluctuation (Pumplin, "Low-noise noise", JASA 1985): what is random in its short-time magnitudes
    would be random in speech as well, where a filter asks for one magnitude. Phases stay random; a few rounds of
    Griffin and Lim's (1984) find samples whose magnitudes are near 1.
    """
    places = (np.arange(NOISE_FRAMES)[:, None] * hop_samples + np.arange(n_fft)) % (NOISE_FRAMES * hop_samples)
    window = hann_window(n_fft).astype(np.float64)
    weight = np.bincount(places.reshape(-1), np.tile(window**2, NOISE_FRAMES))
    ring = np.random.default_rng(0).standard_normal(len(weight))
    for _ in range(_FLATTENING_ROUNDS):
        spectra = np.fft.rfft(ring[places] * window)
        frames = np.fft.irfft(spectra / np.maximum(np.abs(spectra), _TINY), n_fft) * window
        ring = np.bincount(places.reshape(-1), frames.reshape(-1)) / weight
    spectra = np.fft.rfft(ring[places] * window)
    return (spectra / np.sqrt(np.square(np.abs(spectra)).mean())).astype(np.complex64)
