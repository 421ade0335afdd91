"""Distances of phase against the angles themselves, and against signals whose phases are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from speechkd.losses.phase import (
    PhaseLoss,
    complex_distance,
    complex_spectrum,
    delay_distance,
    frequency_distance,
    phase_distance,
)
from speechkd.losses.spectral_config import Resolution

RESOLUTION = Resolution(fft=64, hop=16, window=64)


def tone(hz, phase=0.0, n=800, rate=800.0):
    return torch.cos(2 * math.pi * hz * torch.arange(n) / rate + phase)[None]


def pair():
    torch.manual_seed(0)
    return tuple(torch.complex(*torch.randn(2, 2, 9, 7).unbind()) for _ in range(2))


class TestDistances:
    def test_phase_against_angles(self):
        made, true = pair()
        weight = np.sqrt(np.abs(true.numpy()))
        difference = np.angle(made.numpy()) - np.angle(true.numpy())
        expected = (weight * (1 - np.cos(difference))).sum() / weight.sum()
        assert float(phase_distance(made, true)) == pytest.approx(expected, abs=1e-5)

    @pytest.mark.parametrize(("distance", "axis"), [(frequency_distance, 2), (delay_distance, 1)])
    def test_advances_against_angles(self, distance, axis):
        made, true = pair()
        sizes, angles = np.abs(true.numpy()), [np.angle(each.numpy()) for each in (made, true)]
        length = sizes.shape[axis] - 1
        first, second = np.take(sizes, range(length), axis), np.take(sizes, range(1, length + 1), axis)
        weight = np.sqrt(np.sqrt(first * second))
        difference = np.diff(angles[0], axis=axis) - np.diff(angles[1], axis=axis)
        expected = (weight * (1 - np.cos(difference))).sum() / weight.sum()
        assert float(distance(made, true)) == pytest.approx(expected, abs=1e-4)

    def test_complex_against_its_equation(self):
        made, true = pair()
        expected = np.abs(made.numpy() - true.numpy()).sum() / np.abs(true.numpy()).sum()
        assert float(complex_distance(made, true)) == pytest.approx(expected, abs=1e-4)

    def test_equal_is_zero_and_opposite_is_two(self):
        made, _ = pair()
        assert float(phase_distance(made, made)) == pytest.approx(0.0, abs=1e-5)
        assert float(phase_distance(-made, made)) == pytest.approx(2.0, abs=1e-5)
        assert float(complex_distance(made, made)) == pytest.approx(0.0, abs=1e-3)

    def test_the_size_of_what_was_made_does_not_count(self):
        made, true = pair()
        assert float(phase_distance(3.0 * made, true)) == pytest.approx(float(phase_distance(made, true)), abs=1e-5)


class TestSignals:
    def test_a_constant_offset_is_a_wrong_phase_but_no_wrong_frequency(self):
        made, true = (complex_spectrum(tone(100.0, phase), RESOLUTION)[:, :, 4:-4] for phase in (1.0, 0.0))
        assert float(phase_distance(made, true)) == pytest.approx(1 - math.cos(1.0), abs=0.02)
        assert float(frequency_distance(made, true)) < 0.01

    def test_another_frequency_is_one(self):
        """Two tones 5 Hz apart advance 2π·5·hop/rate apart from frame to frame."""
        made, true = (complex_spectrum(tone(hz), RESOLUTION)[:, :, 4:-4] for hz in (105.0, 100.0))
        expected = 1 - math.cos(2 * math.pi * 5.0 * 16 / 800.0)
        assert float(frequency_distance(made, true)) == pytest.approx(expected, rel=0.15)

    def test_a_later_click_is_another_delay(self):
        clicks = torch.zeros(2, 800)
        clicks[0, 400], clicks[1, 403] = 1.0, 1.0
        first, second = (complex_spectrum(each[None], RESOLUTION)[:, :, 25:26] for each in clicks)
        expected = 1 - math.cos(2 * math.pi * 3 / 64)
        assert float(delay_distance(second, first)) == pytest.approx(expected, rel=0.05)


class TestLoss:
    def test_is_the_weighted_sum(self):
        torch.manual_seed(1)
        made, true = torch.randn(2, 2, 400).unbind()
        spectra = complex_spectrum(made, RESOLUTION), complex_spectrum(true, RESOLUTION)
        expected = 2 * phase_distance(*spectra) + 3 * frequency_distance(*spectra) + 5 * delay_distance(*spectra)
        torch.testing.assert_close(PhaseLoss(RESOLUTION, 2.0, 3.0, 5.0)(made, true), expected)

    def test_without_weights_is_nothing(self):
        assert float(PhaseLoss(RESOLUTION, 0.0, 0.0, 0.0)(torch.randn(1, 400), torch.randn(1, 400))) == 0.0

    def test_gradients_are_finite_in_silence(self):
        made = torch.zeros(1, 400, requires_grad=True)
        (PhaseLoss(RESOLUTION)(made, torch.randn(1, 400)) + complex_distance(
            complex_spectrum(made, RESOLUTION), complex_spectrum(torch.zeros(1, 400), RESOLUTION)
        )).backward()  # fmt: skip
        assert torch.isfinite(made.grad).all()

    def test_descending_finds_the_phase(self):
        """A tone with a free phase turns to the true one."""
        phase = torch.tensor(2.0, requires_grad=True)
        optimizer = torch.optim.Adam([phase], lr=0.1)
        loss, true = PhaseLoss(RESOLUTION, 1.0, 0.0, 0.0), tone(100.0)
        for _ in range(60):
            optimizer.zero_grad()
            loss(torch.cos(2 * math.pi * 100.0 * torch.arange(800) / 800.0 + phase)[None], true).backward()
            optimizer.step()
        assert abs(float(phase.detach())) < 0.1
