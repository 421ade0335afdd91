"""Telling voices apart: against the rule of Bayes for known Gaussians, and on spectra of two kinds."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.metrics.cepstra import mel_cepstra
from speechkd.metrics.voices import VoiceClassifier, voice_features


def test_features_are_means_and_deviations_of_cepstra() -> None:
    mel = np.random.default_rng(0).normal(-5, 1, (40, 80))
    found = voice_features(mel)
    assert found.shape == (26,)
    np.testing.assert_allclose(found[:13], mel_cepstra(mel).mean(axis=0))
    np.testing.assert_allclose(found[13:], mel_cepstra(mel).std(axis=0))


def test_it_decides_as_bayes_does() -> None:
    """Three Gaussians of one covariance: where the densities differ clearly, the likeliest is named."""
    rng = np.random.default_rng(1)
    means = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 1.0], [0.0, 3.0, 0.0]])
    root = np.array([[1.0, 0.6, 0.0], [0.0, 0.8, 0.3], [0.0, 0.0, 0.5]])
    inverse = np.linalg.inv(root.T @ root)
    rows = np.concatenate([mean + rng.normal(size=(2000, 3)) @ root for mean in means])
    found = VoiceClassifier.fitted(rows, [name for name in ("ann", "ben", "cat") for _ in range(2000)])
    asked = rng.normal(0.5, 2.0, (500, 3))
    distances = np.array([[(x - mean) @ inverse @ (x - mean) for mean in means] for x in asked])
    ordered = np.sort(distances, axis=1)
    clear = ordered[:, 1] - ordered[:, 0] > 1.5
    assert clear.sum() > 300
    expected = [("ann", "ben", "cat")[place] for place in distances.argmin(axis=1)]
    agreed = [found.who(x) == name for x, name, sure in zip(asked, expected, clear, strict=True) if sure]
    assert np.mean(agreed) > 0.98


def test_features_that_never_vary_do_no_harm() -> None:
    rows = np.array([[0.0, 1.0], [0.2, 1.0], [5.0, 1.0], [5.1, 1.0]])
    found = VoiceClassifier.fitted(rows, ["ann", "ann", "ben", "ben"])
    assert [found.who([0.1, 1.0]), found.who([4.0, 1.0])] == ["ann", "ben"]


def test_one_voice_is_refused() -> None:
    with pytest.raises(DataError, match="one voice"):
        VoiceClassifier.fitted(np.zeros((3, 2)), ["ann"] * 3)
