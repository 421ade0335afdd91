"""From stored features to batches: token means against a loop, padding, levels, wavelet targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.tts.common.dataset import TtsDataset, frame_mask, mean_of, spread, token_mask, token_means, with_pauses
from speechkd.features.pitch import continuous_contour, interpolate_unvoiced
from speechkd.features.wavelet import cwt
from speechkd.models.tts.config import NetworkConfig
from speechkd.runner import ItemStore
from speechkd.text import ENGLISH_SYMBOLS
from tests.recipes.tts.features import TINY_NETWORKS, write_features


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_features(tmp_path_factory.mktemp("artifacts"))


def dataset(artifacts: tuple[Path, Path], kind: str) -> TtsDataset:
    return TtsDataset(*artifacts, NetworkConfig.model_validate(TINY_NETWORKS[kind]))


def means_by_loop(values: list[float], durations: list[int]) -> list[float | None]:
    means: list[float | None] = []
    at = 0
    for n in durations:
        means.append(sum(values[at : at + n]) / n if n else None)
        at += n
    return means


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12).filter(any), st.randoms(use_true_random=False))
def test_token_means_are_those_of_a_loop(durations: list[int], rng: object) -> None:
    values = [rng.uniform(-9, 9) for _ in range(sum(durations))]  # type: ignore[attr-defined]
    found = token_means(np.array(values), np.array(durations))
    expected = means_by_loop(values, durations)
    assert len(found) == len(durations) and np.isfinite(found).all()
    known = [mean for mean in expected if mean is not None]
    for mean, value in zip(expected, found, strict=True):
        if mean is not None:
            assert value == pytest.approx(mean, abs=1e-9)
        assert min(known) - 1e-9 <= value <= max(known) + 1e-9


def test_p5_leading_tokens_without_frames_disturb_nothing() -> None:
    """Averaging in place would have overwritten the first frames before they were read."""
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    before = values.copy()
    np.testing.assert_allclose(token_means(values, np.array([0, 0, 0, 2, 1, 0, 3])), [1.5, 1.5, 1.5, 1.5, 3, 4, 5])
    np.testing.assert_array_equal(values, before)


def test_a_pause_without_frames_is_as_quiet_as_those_with_frames(artifacts: tuple[Path, Path]) -> None:
    data, store = dataset(artifacts, "small"), ItemStore(artifacts[0])
    for number in range(4):
        example, arrays = data.example(f"u{number}"), store.arrays(f"u{number}")
        places = [0, 5, len(example.tokens) - 1]  # the start, between the words, the full stop
        assert np.flatnonzero(example.pauses).tolist() == places
        frames = np.repeat(np.arange(len(example.tokens)), example.durations)
        heard = [arrays["energy"][frames == place].mean() for place in places if example.durations[place]]
        assert not example.durations[5] and len(heard) == 1 + number % 2
        assert example.energy[5] == pytest.approx(np.mean(heard), rel=1e-5)
        words = np.setdiff1d(np.arange(len(example.tokens)), places)
        np.testing.assert_array_equal(example.energy[words], token_means(arrays["energy"], example.durations)[words])


def test_where_no_pause_was_made_nothing_is_known_of_them() -> None:
    energy, durations, pauses = np.array([5.0, 6.0, 7.0]), np.array([2, 0, 3]), np.array([False, True, False])
    assert with_pauses(energy, durations, pauses) is energy


def test_a_batch_holds_what_was_stored(artifacts: tuple[Path, Path]) -> None:
    store, tokens = (ItemStore(path) for path in artifacts)
    batch = dataset(artifacts, "paper").batch(["u2", "u0", "u3"])
    assert batch.mel_lengths.tolist() == [store.meta(id_)["n_frames"] for id_ in ("u2", "u0", "u3")]
    assert batch.mel.shape[1] == int(batch.mel_lengths.max())
    for row, id_ in enumerate(batch.ids):
        n_frames, n_tokens = int(batch.mel_lengths[row]), int(batch.token_lengths[row])
        arrays = store.arrays(id_)
        np.testing.assert_array_equal(batch.mel[row, :n_frames], arrays["mel"])
        assert batch.variances.durations[row, :n_tokens].tolist() == arrays["durations"].tolist()
        assert ENGLISH_SYMBOLS.decode(batch.tokens[row, :n_tokens].tolist()) == tokens.meta(id_)["symbols"]
        np.testing.assert_allclose(
            batch.variances.pitch_hz[row, :n_frames], interpolate_unvoiced(arrays["f0_hz"]), rtol=1e-6
        )
        assert batch.variances.voiced[row, :n_frames].tolist() == (arrays["f0_hz"] > 0).tolist()
        np.testing.assert_array_equal(batch.variances.energy[row, :n_frames], arrays["energy"])
        assert not batch.mel[row, n_frames:].any() and not batch.tokens[row, n_tokens:].any()
        assert not batch.variances.durations[row, n_tokens:].any()
    assert frame_mask(batch).sum(dim=1).tolist() == batch.mel_lengths.tolist()
    assert token_mask(batch).sum(dim=1).tolist() == batch.token_lengths.tolist()


def test_the_wavelet_target_is_that_of_the_utterance_alone(artifacts: tuple[Path, Path]) -> None:
    data = dataset(artifacts, "paper")
    batch = data.batch(["u0", "u3"])
    assert batch.wavelet is not None
    statistics = data.statistics
    for row, id_ in enumerate(batch.ids):
        contour = continuous_contour(data.features.arrays(id_)["f0_hz"])
        n_frames = int(batch.mel_lengths[row])
        np.testing.assert_allclose(batch.wavelet[row, :n_frames], cwt(contour.normalised), atol=1e-6)
        mean, deviation = batch.pitch_statistics[row].tolist()
        assert statistics.log_f0_mean + mean * statistics.log_f0_deviation == pytest.approx(contour.mean, abs=1e-5)
        assert deviation * statistics.log_f0_deviation == pytest.approx(contour.deviation, abs=1e-5)


def test_pitch_and_energy_per_token(artifacts: tuple[Path, Path]) -> None:
    data = dataset(artifacts, "small")
    batch = data.batch(["u1"])
    arrays = data.features.arrays("u1")
    durations = arrays["durations"].tolist()
    assert batch.wavelet is None
    assert batch.variances.pitch_hz.shape == batch.variances.energy.shape == batch.tokens.shape
    log_f0 = np.log(interpolate_unvoiced(arrays["f0_hz"])).tolist()
    for found, loop in (
        (batch.variances.pitch_hz[0].log(), means_by_loop(log_f0, durations)),
        (batch.variances.energy[0], means_by_loop(arrays["energy"].tolist(), durations)),
    ):
        for value, mean in zip(found.tolist(), loop, strict=True):
            assert mean is None or value == pytest.approx(mean, rel=1e-5)


def test_token_values_spread_over_frames(artifacts: tuple[Path, Path]) -> None:
    durations = torch.tensor([[2, 0, 3], [1, 1, 0]])
    values = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert spread(values, durations, 5)[0].tolist() == [1, 1, 3, 3, 3]
    assert spread(values, durations, 5)[1, :2].tolist() == [4, 5]


def test_column_means() -> None:
    assert mean_of([{"a": 1.0, "b": 0.0}, {"a": 2.0, "b": 3.0}]) == {"a": 1.5, "b": 1.5}
