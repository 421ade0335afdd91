"""Distances against closed forms, brute force, and an independent script on real recordings."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest

from speechkd.errors import DataError, UsageError
from speechkd.metrics.dtw import accumulate, euclidean_cost, warping_path
from speechkd.metrics.speech import duration_mae_ms, mel_l1, speech_distance, trim_silence
from tests.conftest import shared_data

RATE = 22050
pytestmark = pytest.mark.filterwarnings("ignore:pkg_resources")


def voiced_tone(f0_hz: float, duration_s: float = 0.8) -> np.ndarray:
    """Ten harmonics falling as 1/k: clearly voiced at f0."""
    t = np.arange(int(duration_s * RATE)) / RATE
    return sum(np.sin(2 * np.pi * f0_hz * k * t) / k for k in range(1, 11)).astype(np.float32) * 0.2


def test_a_recording_has_no_distance_from_itself():
    distance = speech_distance(voiced_tone(150), voiced_tone(150), RATE)
    # The cost is computed as a² + b² - 2ab, so zero is only reached up to rounding.
    assert distance.mcd_dtw_db == pytest.approx(0, abs=1e-4)
    assert (distance.f0_rmse_cents, distance.voicing_error, distance.length_ratio) == (0, 0, 1)


def test_one_semitone_is_a_hundred_cents():
    distance = speech_distance(voiced_tone(150), voiced_tone(150 * 2 ** (1 / 12)), RATE)
    assert distance.f0_rmse_cents == pytest.approx(100, abs=2)


def test_gain_and_outer_silence_do_not_count():
    tone = voiced_tone(150)
    quiet = np.concatenate([np.zeros(256 * 40, np.float32), 0.3 * tone, np.zeros(256 * 20, np.float32)])
    assert len(trim_silence(quiet.astype(np.float64))) == pytest.approx(len(tone), abs=1024)
    distance = speech_distance(tone, quiet, RATE)
    assert distance.length_ratio == pytest.approx(1, abs=0.06)
    # Only the frames at the edges differ, by the silence that their windows reach.
    assert distance.mcd_dtw_db < 3


def test_length_ratio_counts_frames_of_b_per_frame_of_a():
    assert speech_distance(voiced_tone(150, 0.5), voiced_tone(150, 1.0), RATE).length_ratio == pytest.approx(
        2, rel=0.03
    )


def test_noise_beside_a_tone_differs_in_voicing():
    noise = np.random.default_rng(0).normal(size=RATE).astype(np.float32) * 0.1
    distance = speech_distance(voiced_tone(150), noise, RATE)
    # DIO leaves a few frames at either end of the tone unvoiced.
    assert distance.voicing_error > 0.7
    assert math.isnan(distance.f0_rmse_cents)


def test_samples_need_a_rate_and_sound():
    with pytest.raises(UsageError, match="sample rate"):
        speech_distance(voiced_tone(150), voiced_tone(150))
    with pytest.raises(DataError, match="silent"):
        speech_distance(np.zeros(RATE), voiced_tone(150), RATE)


def cheapest(cost: np.ndarray, i: int, j: int) -> float:
    """The definition, by plain recursion over all paths."""
    before = [cheapest(cost, a, b) for a, b in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if a >= 0 and b >= 0]
    return cost[i, j] + (min(before) if before else 0.0)


def test_dtw_is_the_cheapest_of_all_paths():
    rng = np.random.default_rng(1)
    for n, m in [(1, 1), (1, 5), (4, 1), (5, 6), (7, 4)]:
        cost = rng.random((n, m))

        least = cheapest(cost, n - 1, m - 1)
        assert accumulate(cost)[-1, -1] == pytest.approx(least)
        rows, columns = warping_path(cost)
        assert cost[rows, columns].sum() == pytest.approx(least)
        assert (rows[0], columns[0], rows[-1], columns[-1]) == (0, 0, n - 1, m - 1)
        steps = set(zip(np.diff(rows), np.diff(columns), strict=True))
        assert steps <= {(1, 1), (1, 0), (0, 1)}


def test_euclidean_cost_by_definition():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    expected = [[math.dist(x, y) for y in b] for x in a]
    np.testing.assert_allclose(euclidean_cost(a, b), expected, atol=1e-7)


def test_mel_l1_and_duration_error_by_hand():
    assert mel_l1([[0.0, 1.0], [2.0, 3.0], [9.0, 9.0]], [[1.0, 1.0], [2.0, 1.0]]) == pytest.approx(0.75)
    assert duration_mae_ms([3, 5, 0], [4, 5, 2], hop_s=0.01) == pytest.approx(10.0)
    with pytest.raises(DataError):
        duration_mae_ms([1, 2], [1], hop_s=0.01)
    with pytest.raises(DataError):
        mel_l1([[1.0, 2.0]], [[1.0]])


def test_agrees_with_the_independent_script_on_real_recordings():
    path = shared_data("checks/speech_distance.py")
    spec = importlib.util.spec_from_file_location("independent_distance", path)
    independent = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(independent)
    clips = sorted(shared_data("data/speech/kathleen1032/wavs").iterdir())
    others = sorted(shared_data("data/speech/ljspeech300/wavs").iterdir())
    for a, b in [(clips[0], clips[1]), (clips[2], others[1]), (others[2], others[1])]:
        expected = independent.distance(str(a), str(b))
        found = speech_distance(a, b)
        values = (found.mcd_dtw_db, found.f0_rmse_cents, found.voicing_error, found.length_ratio)
        np.testing.assert_allclose(values, expected, rtol=0.01)
