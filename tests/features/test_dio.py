"""The pitch tracker against WORLD's own implementation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import pyworld

from speechkd.audio.io import read_audio
from speechkd.features.dio import dio
from speechkd.features.pitch import extract_f0

RATE, PERIOD_MS = 22050, 256000 / 22050
Array = npt.NDArray[np.float64]


def voice(f0_hz: Array, seed: int = 0) -> Array:
    """Harmonics of an F0 contour given per sample, where it is above zero, in a little noise."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 12)) * (f0_hz > 0)
    noise: Array = np.random.default_rng(seed).normal(0, 0.003, len(f0_hz))
    return np.asarray(0.1 * harmonics + noise)


def assert_equal_to_world(samples: Array, rate: int = RATE, period_ms: float = PERIOD_MS) -> None:
    theirs, their_times = pyworld.dio(samples, rate, frame_period=period_ms)
    ours, our_times = dio(samples, rate, period_ms)
    np.testing.assert_allclose(our_times, their_times, rtol=1e-12)
    np.testing.assert_array_equal(ours > 0, theirs > 0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_same_as_world_on_gliding_voices_with_pauses(seed: int) -> None:
    draw = np.random.default_rng(seed)
    parts = []
    for _ in range(5):
        n = int(draw.uniform(0.1, 0.6) * RATE)
        f0 = np.geomspace(*draw.uniform(80, 500, 2), n)
        parts += [f0, np.zeros(int(draw.uniform(0.02, 0.3) * RATE))]
    assert_equal_to_world(voice(np.concatenate(parts), seed))


@pytest.mark.parametrize(("rate", "period_ms"), [(16000, 16.0), (44100, 5.0), (8000, 10.0)])
def test_same_as_world_at_other_rates(rate: int, period_ms: float) -> None:
    times_s = np.arange(rate) / rate
    samples = 0.2 * np.sin(2 * np.pi * (150 * times_s + 40 * times_s**2))
    assert_equal_to_world(samples + np.random.default_rng(1).normal(0, 1e-3, rate), rate, period_ms)


@pytest.mark.parametrize("n_samples", [1, 200, 4000, 9000])
def test_short_silent_and_noisy_input(n_samples: int) -> None:
    assert_equal_to_world(np.random.default_rng(n_samples).normal(0, 0.1, n_samples))
    assert not dio(np.zeros(n_samples), RATE, PERIOD_MS)[0].any()


def test_same_as_world_on_real_speech(shared_data: Callable[[str], Path]) -> None:
    paths = sorted(shared_data("data/speech/kathleen1032/wavs").iterdir())[::150]
    for path in paths:
        audio = read_audio(path)
        assert_equal_to_world(audio.samples.astype(np.float64), audio.sample_rate)


@pytest.mark.parametrize("method", ["dio", "harvest"])
def test_frames_are_centred_on_half_hops(method: str) -> None:
    f0 = np.geomspace(120, 240, 2 * RATE)
    samples = voice(f0).astype(np.float32)
    n_frames = len(samples) // 256
    measured = extract_f0(samples, RATE, 256, n_frames, method)  # type: ignore[arg-type]
    true = f0[np.arange(n_frames) * 256 + 128]
    inner = slice(12, -12)
    assert (measured[inner] > 0).all()
    assert np.median(np.abs(1200 * np.log2(measured[inner] / true[inner]))) < 3
