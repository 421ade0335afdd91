"""Pitch and energy adaptors: bins against numpy, controls, and the traps of normalising."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from speechkd.features.wavelet import Inverse, cwt, inverse_cwt, scale_weights
from speechkd.models.common.config import PredictorConfig
from speechkd.models.tts.config import EnergyConfig, PitchConfig
from speechkd.models.tts.variance import EnergyAdaptor, PitchAdaptor
from tests.models.tts.says import Says

LOW_HZ, HIGH_HZ, BINS = 80.0, 400.0, 32
LOG_MEAN, LOG_DEVIATION = math.log(180.0), 0.25
PREDICTOR = PredictorConfig(layers=1, channels=6, kernel=3, dropout=0.5)


def number_embedding(n: int) -> nn.Embedding:
    """Each index is embedded as itself, so that bins can be read off."""
    return nn.Embedding.from_pretrained(torch.arange(n, dtype=torch.float32)[:, None])


def pitch_adaptor(
    target: Literal["cwt", "f0"], level: Literal["frame", "phoneme"], inverse: Inverse = "paper"
) -> PitchAdaptor:
    config = PitchConfig(target=target, level=level, bins=BINS, inverse=inverse)
    adaptor = PitchAdaptor(4, PREDICTOR, config, (LOW_HZ, HIGH_HZ), (LOG_MEAN, LOG_DEVIATION)).eval()
    adaptor.embedding = number_embedding(BINS + 1)
    return adaptor


def pitch_bins(level: Literal["frame", "phoneme"], f0_hz: Tensor, voiced: Tensor) -> Tensor:
    states, mask = torch.zeros(*f0_hz.shape, 4), torch.ones_like(voiced)
    return pitch_adaptor("f0", level)(states, mask, (f0_hz, voiced), 1.0).embedded.squeeze(-1).long()


def test_pitch_bins_are_log_spaced() -> None:
    f0 = np.random.default_rng(0).uniform(60, 500, (1, 400)).astype(np.float32)
    edges = np.geomspace(LOW_HZ, HIGH_HZ, BINS + 1)
    expected = 1 + np.clip(np.searchsorted(edges, f0, side="right") - 1, 0, BINS - 1)
    found = pitch_bins("frame", torch.from_numpy(f0), torch.ones(1, 400, dtype=torch.bool)).numpy()
    np.testing.assert_array_equal(found, expected)
    assert found.min() == 1 and found.max() == BINS


def test_a_bin_is_off_by_at_most_half_its_width() -> None:
    f0 = torch.logspace(math.log10(LOW_HZ), math.log10(HIGH_HZ), 999)[None, 1:-1]
    bins = pitch_bins("frame", f0, torch.ones_like(f0, dtype=torch.bool))
    width = math.log(HIGH_HZ / LOW_HZ) / BINS
    centres = math.log(LOW_HZ) + (bins - 0.5) * width
    assert (centres - f0.log()).abs().max() <= width / 2 + 1e-5


def test_unvoiced_frames_have_their_own_bin_and_tokens_never() -> None:
    f0 = torch.full((1, 3), 200.0)
    voiced = torch.tensor([[True, False, True]])
    assert (pitch_bins("frame", f0, voiced) == 0).tolist() == [[False, True, False]]
    assert (pitch_bins("phoneme", f0, voiced) == 0).tolist() == [[False, False, False]]


def wavelet_adaptor(contours: Tensor, statistics: Tensor, inverse: Inverse = "paper") -> PitchAdaptor:
    """An adaptor that predicts the transform of these contours exactly, all voiced."""
    wavelet = torch.stack([torch.from_numpy(cwt(row.numpy())) for row in contours])
    adaptor = pitch_adaptor("cwt", "frame", inverse)
    adaptor.predictor = Says(torch.cat([wavelet, torch.ones(*contours.shape, 1)], dim=-1))
    adaptor.statistics = Says(statistics)
    return adaptor


@pytest.mark.parametrize("inverse", ["paper", "matched"])
def test_a_predicted_transform_becomes_the_contour_it_is_the_transform_of(inverse: Inverse) -> None:
    t = torch.arange(300)
    contours = torch.stack([torch.sin(t / 15), torch.sin(t / 9)])
    statistics = torch.tensor([[0.5, 1.2], [-1.0, 0.4]])
    adaptor = wavelet_adaptor(contours, statistics, inverse)
    log_f0 = adaptor(torch.zeros(2, 300, 4), torch.ones(2, 300, dtype=torch.bool), None, 1.0).f0_hz.log()
    for row, contour, (mean, deviation) in zip(log_f0, contours, statistics.tolist(), strict=True):
        assert float(torch.corrcoef(torch.stack([row, contour]))[0, 1]) > 0.99
        back = inverse_cwt(cwt(contour.numpy()), scale_weights(inverse))
        expected = LOG_MEAN + LOG_DEVIATION * (mean + deviation * back)
        np.testing.assert_allclose(row, expected, atol=1e-4)


@pytest.mark.parametrize("inverse", ["paper", "matched"])
def test_the_model_weights_scales_as_the_features_do(inverse: Inverse) -> None:
    weights = pitch_adaptor("cwt", "frame", inverse).scale_weights
    np.testing.assert_allclose(weights, scale_weights(inverse), rtol=1e-6)


@pytest.mark.parametrize(("target", "level"), [("cwt", "frame"), ("f0", "frame"), ("f0", "phoneme")])
@pytest.mark.parametrize("ratio", [0.75, 1.5])
def test_control_multiplies_f0_in_hz(target: str, level: str, ratio: float) -> None:
    """Also where the prediction is exactly the mean, which a factor on a normalised value would leave alone."""
    states, mask = torch.randn(1, 60, 4), torch.ones(1, 60, dtype=torch.bool)
    adaptor = pitch_adaptor(target, level)  # type: ignore[arg-type]
    plain, moved = (adaptor(states, mask, None, control) for control in (1.0, ratio))
    torch.testing.assert_close(moved.f0_hz, ratio * plain.f0_hz)
    at_mean = pitch_adaptor("f0", "phoneme")
    at_mean.predictor = Says(torch.cat([torch.zeros(1, 60, 1), torch.ones(1, 60, 1)], dim=-1))
    torch.testing.assert_close(
        at_mean(states, mask, None, ratio).f0_hz, torch.full((1, 60), 180.0 * ratio), rtol=1e-4, atol=0
    )
    heard = at_mean(states, mask, None, ratio).embedded.long()[0, 0, 0]
    edges = np.geomspace(LOW_HZ, HIGH_HZ, BINS + 1)
    assert int(heard) == int(np.searchsorted(edges, 180.0 * ratio))


def energy_adaptor() -> EnergyAdaptor:
    adaptor = EnergyAdaptor(4, PREDICTOR, EnergyConfig(level="frame", bins=16), (2.0, 50.0), (20.0, 8.0)).eval()
    adaptor.embedding = number_embedding(16)
    return adaptor


def test_energy_bins_are_uniform() -> None:
    energy = np.random.default_rng(0).uniform(0, 60, (1, 300)).astype(np.float32)
    states, mask = torch.zeros(1, 300, 4), torch.ones(1, 300, dtype=torch.bool)
    embedded = energy_adaptor()(states, mask, torch.from_numpy(energy), 1.0).embedded
    expected = np.clip(np.digitize(energy, np.linspace(2, 50, 17)) - 1, 0, 15)
    np.testing.assert_array_equal(embedded.squeeze(-1).numpy(), expected)


def test_energy_control_multiplies_the_energy_itself() -> None:
    adaptor = energy_adaptor()
    adaptor.predictor = Says(torch.full((1, 5, 1), 0.5))  # 20 + 0.5 * 8 = 24
    for control, energy in ((1.0, 24.0), (0.5, 12.0), (2.0, 48.0)):
        out = adaptor(torch.zeros(1, 5, 4), torch.ones(1, 5, dtype=torch.bool), None, control)
        assert out.embedded.flatten().tolist() == [int((energy - 2) / 3)] * 5
