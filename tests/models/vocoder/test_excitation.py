"""What excites the filters, against sums of cosines and a plain transform."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from speechkd.models.vocoder.excitation import NOISE_FRAMES, cycles, harmonics, noise
from speechkd.models.vocoder.istft_config import IstftConfig

CONFIG = IstftConfig(n_fft=1024, hop_samples=256, sample_rate=22050)
UNEVEN = IstftConfig(n_mels=5, n_fft=28, hop_samples=8, sample_rate=1000, pitch_min_hz=20, pitch_max_hz=100)


def sum_of_cosines(f0_hz: np.ndarray, config: IstftConfig, start: float) -> np.ndarray:
    """Samples from a margin before the first hop, harmonic by harmonic, the phase integrated sample by sample."""
    hop, margin, n_frames = config.hop_samples, config.margin_samples, len(f0_hz)
    places = np.arange(-margin, n_frames * hop + margin)
    middles = (np.arange(n_frames) + 0.5) * hop
    phases = [start]
    for before, after in pairwise(f0_hz):
        phases.append(phases[-1] + hop * (before + after) / 2 / config.sample_rate)
    phase = np.interp(places, middles, phases)
    phase = np.where(places < middles[0], start + (places - middles[0]) * f0_hz[0] / config.sample_rate, phase)
    after_end = phases[-1] + (places - middles[-1]) * f0_hz[-1] / config.sample_rate
    phase = np.where(places > middles[-1], after_end, phase)
    # The pitch between two middles is one; harmonics are those under half the rate.
    rate_hz = np.diff(phase, append=phase[-1] + f0_hz[-1] / config.sample_rate) * config.sample_rate
    count = np.floor(config.sample_rate / 2 / rate_hz + 1e-6)
    return sum(np.where(k <= count, np.cos(2 * np.pi * k * phase), 0.0) for k in range(1, int(count.max()) + 1))


def transformed(samples: np.ndarray, config: IstftConfig) -> np.ndarray:
    window = np.hanning(config.n_fft + 1)[:-1]
    starts = range(0, len(samples) - config.n_fft + 1, config.hop_samples)
    return np.stack([np.fft.rfft(window * samples[at : at + config.n_fft]) for at in starts]), window


@pytest.mark.parametrize(("config", "f0"), [(CONFIG, 213.7), (UNEVEN, 31.3)])
@pytest.mark.parametrize("start", [0.0, 0.3, 1234.56])
def test_pulses_are_a_sum_of_cosines(config, f0, start):
    f0_hz = f0 * (1 + 0.2 * np.sin(np.arange(23) / 4))
    expected, window = transformed(sum_of_cosines(f0_hz, config, start), config)
    found = harmonics(f0_hz, config, start)
    assert found.dtype == np.complex64 and found.shape == (23, config.bins)
    np.testing.assert_allclose(found, expected * 2 / window.sum(), atol=2e-3 * np.abs(found).max())


def test_a_steady_harmonic_has_magnitude_one():
    f0 = 10 * 22050 / 1024  # every harmonic in the middle of a bin
    found = np.abs(harmonics(np.full(9, f0), CONFIG))[4]
    np.testing.assert_allclose(found[10:500:10], 1.0, atol=2e-3)
    np.testing.assert_allclose(found[15:500:10], 0.0, atol=2e-3)


def test_pulses_begin_at_the_phase_that_is_asked_for():
    """Phase 0 in the middle of the first frame, sample 128, is the top of a pulse: as many as there are harmonics."""
    for start in (0.0, 7.0):
        frame = np.fft.irfft(harmonics(np.full(5, 220.5), CONFIG, start)[0]) * 256
        assert frame.argmax() == 512
        # The window has its own top, 1, there.
        assert frame.max() == pytest.approx(50, rel=0.05)


def test_a_phase_goes_on_where_it_was_left():
    f0_hz = np.random.default_rng(0).uniform(100, 300, 40)
    whole, reach = harmonics(f0_hz, CONFIG), CONFIG.reach_frames
    part = harmonics(f0_hz[17:], CONFIG, cycles(f0_hz, CONFIG)[17])
    np.testing.assert_allclose(part[reach:], whole[17 + reach :], atol=1e-4)


def test_one_frame():
    assert np.isfinite(harmonics(np.array([100.0]), CONFIG)).all()


class TestNoise:
    def test_has_power_one_and_no_colour(self):
        power = np.square(np.abs(noise(0, NOISE_FRAMES, CONFIG))).mean(axis=0)[1:-1]
        assert power.mean() == pytest.approx(1.0, abs=0.02)
        assert np.abs(np.log(power.reshape(7, 73).mean(axis=1))).max() < 0.1

    def test_fluctuates_less_than_noise_of_independent_samples(self):
        """Whose magnitudes have a Rayleigh distribution: deviation / mean = sqrt(4 / pi - 1) = 0.52."""
        magnitudes = np.abs(noise(0, NOISE_FRAMES, CONFIG))[:, 1:-1]
        assert magnitudes.std() / magnitudes.mean() < 0.65 * np.sqrt(4 / np.pi - 1)

    def test_phases_stay_random(self):
        """Between neighbours in time and in frequency: no tone, no click."""
        phases = noise(0, NOISE_FRAMES, CONFIG)[::4, 1:-1]  # frames that do not overlap
        for turned in (phases[1:] / phases[:-1], phases[:, 8:] / phases[:, :-8]):
            assert np.abs((turned / np.abs(turned)).mean()) < 0.03

    def test_frames_are_of_one_stretch_of_noise(self):
        """Overlapped and added, frames give back samples whose frames they are."""
        spectra = noise(5, 12, CONFIG)
        window = np.hanning(1025)[:-1]
        summed, weight = np.zeros(11 * 256 + 1024), np.zeros(11 * 256 + 1024)
        for t, frame in enumerate(np.fft.irfft(spectra, axis=1)):
            summed[256 * t : 256 * t + 1024] += frame * window
            weight[256 * t : 256 * t + 1024] += window**2
        samples = summed / np.maximum(weight, 1e-9)
        again, _ = transformed(samples, CONFIG)
        np.testing.assert_allclose(again[4:8], spectra[4:8], atol=1e-3)

    def test_is_the_same_again_and_goes_around(self):
        assert np.array_equal(noise(3, 4, CONFIG), noise(0, 7, CONFIG)[3:])
        assert np.array_equal(noise(NOISE_FRAMES - 1, 3, CONFIG)[1:], noise(0, 2, CONFIG))
