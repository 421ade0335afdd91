"""Corpus statistics in closed form, whatever the order, and unmoved by what the pitch tracker gets wrong."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.features.statistics import Statistics, Utterance, corpus_statistics


def utterances(n: int = 12, voiced: float = 0.6) -> list[Utterance]:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(n):
        frames = int(rng.integers(30, 200))
        mel = rng.normal(-5, [1.0, 2.0, 3.0], (frames, 3)).astype(np.float32)
        f0 = np.where(rng.uniform(size=frames) < voiced, rng.uniform(150, 300, frames), 0).astype(np.float32)
        made.append((mel, f0, rng.gamma(2, 10, frames).astype(np.float32)))
    return made


def test_closed_form() -> None:
    data = utterances()
    found = corpus_statistics(data)
    mel = np.concatenate([each[0] for each in data]).astype(np.float64)
    f0 = np.concatenate([each[1] for each in data]).astype(np.float64)
    energy = np.concatenate([each[2] for each in data]).astype(np.float64)
    log_f0 = np.log(f0[f0 > 0])
    assert (found.log_f0_mean, found.log_f0_deviation) == pytest.approx((log_f0.mean(), log_f0.std()))
    assert (found.energy_mean, found.energy_deviation) == pytest.approx((energy.mean(), energy.std()))
    assert (found.energy_min, found.energy_max) == (energy.min(), energy.max())
    np.testing.assert_allclose(found.mel_mean, mel.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.mel_deviation, mel.std(axis=0), rtol=1e-6)


def test_long_utterances_count_by_their_frames() -> None:
    one = (np.zeros((10, 1), np.float32), np.full(10, 100, np.float32), np.zeros(10, np.float32))
    two = (np.ones((30, 1), np.float32), np.full(30, 200, np.float32), np.ones(30, np.float32))
    found = corpus_statistics([one, two])
    assert found.mel_mean[0] == pytest.approx(0.75) and found.energy_mean == pytest.approx(0.75)
    assert found.mel_deviation[0] == pytest.approx(np.sqrt(0.75 * 0.25))


def test_the_order_of_the_utterances_does_not_matter() -> None:
    data = utterances()
    reference = vars(corpus_statistics(data))
    for seed in range(3):
        shuffled = list(data)
        random.Random(seed).shuffle(shuffled)
        for name, value in vars(corpus_statistics(shuffled)).items():
            np.testing.assert_allclose(value, reference[name], rtol=1e-10, err_msg=name)


def test_p1_mostly_unvoiced_clips_keep_their_pitch() -> None:
    """A range over all frames of clips with 5 % voiced would start at 0 Hz."""
    found = corpus_statistics(utterances(60, voiced=0.05))
    assert 150 <= found.f0_min_hz < 160 and 290 < found.f0_max_hz <= 300
    assert found.log_f0_mean == pytest.approx(np.log(220), abs=0.05)


def test_p2_one_octave_error_does_not_stretch_the_bins() -> None:
    data = utterances(60)
    clean = corpus_statistics(data)
    data[3][1][7] = 900.0
    data[5][1][7] = 50.0
    found = corpus_statistics(data)
    assert found.f0_max_hz == pytest.approx(clean.f0_max_hz, rel=0.01)
    assert found.f0_min_hz == pytest.approx(clean.f0_min_hz, rel=0.01)


def test_no_voice_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="no voiced frame"):
        corpus_statistics(utterances(voiced=0.0))
    with pytest.raises(DataError, match="no voiced frame"):
        corpus_statistics([])


def test_constant_features_can_still_be_divided_by_their_deviation() -> None:
    frames = 20
    same = (np.full((frames, 2), -11.5, np.float32), np.full(frames, 200, np.float32), np.ones(frames, np.float32))
    found = corpus_statistics([same])
    assert min(found.log_f0_deviation, found.energy_deviation, *found.mel_deviation) > 0


def test_written_and_read_back(tmp_path: Path) -> None:
    found = corpus_statistics(utterances())
    found.write(tmp_path / "stats.json")
    assert Statistics.read(tmp_path / "stats.json") == found
