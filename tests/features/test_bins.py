"""Quantising against numpy's edges, and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from speechkd.features.bins import PitchBins, UniformBins

F0 = PitchBins(80.0, 400.0, 256)
ENERGY = UniformBins(0.5, 200.5, 256)


def test_pitch_bins_are_those_of_log_spaced_edges() -> None:
    f0_hz = np.random.default_rng(0).uniform(60, 500, 2000).astype(np.float32)
    edges = np.geomspace(80, 400, 257)
    expected = np.clip(np.searchsorted(edges, f0_hz, side="right") - 1, 0, 255)
    np.testing.assert_array_equal(F0.index(torch.from_numpy(f0_hz)), expected)


def test_energy_bins_are_those_of_evenly_spaced_edges() -> None:
    energy = np.random.default_rng(0).uniform(-5, 250, 2000).astype(np.float32)
    expected = np.clip(np.digitize(energy, np.linspace(0.5, 200.5, 257)) - 1, 0, 255)
    np.testing.assert_array_equal(ENERGY.index(torch.from_numpy(energy)), expected)


def test_dequantised_values_are_off_by_at_most_half_a_bin() -> None:
    f0_hz = torch.logspace(math.log10(80), math.log10(400), 5000)[1:-1]
    half = math.log(400 / 80) / 256 / 2
    assert (F0.centre(F0.index(f0_hz)).log() - f0_hz.log()).abs().max() <= half * 1.001
    energy = torch.linspace(0.5, 200.5, 5000)
    assert (ENERGY.centre(ENERGY.index(energy)) - energy).abs().max() <= 200 / 256 / 2 * 1.001


def test_centres_are_found_again() -> None:
    index = torch.arange(256)
    for bins in (F0, ENERGY):
        assert torch.equal(bins.index(bins.centre(index)), index)


def test_what_lies_beyond_is_in_the_outermost_bin() -> None:
    assert F0.index(torch.tensor([0.0, 10.0, 79.9, 400.1, 1e5])).tolist() == [0, 0, 0, 255, 255]
    assert ENERGY.index(torch.tensor([-3.0, 0.0, 1e5])).tolist() == [0, 0, 255]


@pytest.mark.parametrize("ratio", [0.75, 1.25, 1.5, 2 ** (1 / 12)])
def test_a_ratio_survives_quantising_within_two_percent(ratio: float) -> None:
    f0_hz = torch.linspace(80 / min(ratio, 1), 400 / max(ratio, 1), 700)
    plain, moved = F0.centre(F0.index(f0_hz)), F0.centre(F0.index(f0_hz * ratio))
    assert (moved / plain / ratio - 1).abs().max() < 0.02


def test_a_corpus_of_one_note_has_bins() -> None:
    bins = PitchBins(200.0, 200.0, 16)
    assert bins.index(torch.tensor([100.0, 200.0, 300.0])).tolist()[::2] == [0, 15]
    assert bins.centre(torch.arange(16)).sub(200).abs().max() < 0.01
