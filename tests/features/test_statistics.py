"""Corpus statistics in closed form, and the same bytes whatever the order and however the work was cut."""

from __future__ import annotations

import random
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.features.statistics import Statistics, StatisticsCollector, Utterance, corpus_statistics


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


def written(collector: StatisticsCollector, folder: Path) -> bytes:
    collector.statistics().write(folder / "stats.json")
    return (folder / "stats.json").read_bytes()


def collected(data: list[Utterance]) -> StatisticsCollector:
    collector = StatisticsCollector()
    for mel, f0_hz, energy in data:
        collector.add(mel, f0_hz, energy)
    return collector


@pytest.mark.parametrize("workers", [1, 2, 5, 64])
def test_the_bytes_depend_on_neither_order_nor_workers(workers: int, tmp_path: Path) -> None:
    data = utterances(30)
    corpus_statistics(data).write(tmp_path / "reference.json")
    for seed in range(3):
        draw = random.Random(seed)
        shuffled = draw.sample(data, len(data))
        parts = [collected(shuffled[worker::workers]) for worker in range(workers)]
        draw.shuffle(parts)
        merged = StatisticsCollector()
        for part in parts:
            merged.merge(part)
        assert written(merged, tmp_path) == (tmp_path / "reference.json").read_bytes()


def test_utterances_are_read_one_at_a_time() -> None:
    """What was given is let go of: a stream may be longer than the memory."""
    alive: list[weakref.ref[np.ndarray]] = []

    def stream() -> Iterator[Utterance]:
        for _ in range(50):
            (utterance,) = utterances(1)
            alive.append(weakref.ref(utterance[0]))
            assert sum(reference() is not None for reference in alive) <= 2
            yield utterance
            del utterance

    assert corpus_statistics(stream()).f0_min_hz > 0 and len(alive) == 50


def test_the_f0_range_is_that_of_numpys_percentiles() -> None:
    data = utterances(60)
    f0 = np.concatenate([each[1] for each in data]).astype(np.float64)
    found = corpus_statistics(data)
    expected = np.percentile(f0[f0 > 0], [0.2, 99.8])
    assert np.abs(1200 * np.log2(np.array([found.f0_min_hz, found.f0_max_hz]) / expected)).max() < 2


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


def test_a_collector_survives_json() -> None:
    """What workers have counted is sent as JSON: nothing may be lost, and an empty part adds nothing."""
    import json

    from speechkd.features.statistics import StatisticsCollector

    draw = np.random.default_rng(5)
    whole, parts = StatisticsCollector(), [StatisticsCollector() for _ in range(3)]
    for index in range(10):
        f0_hz = draw.uniform(80, 300, 40) * (draw.random(40) > 0.4)
        utterance = (draw.normal(-4, 2, (40, 7)), f0_hz, draw.gamma(2, 20, 40))
        whole.add(*utterance)
        parts[index % 2].add(*utterance)
    merged = StatisticsCollector()
    for part in parts:
        merged.merge(StatisticsCollector.from_json(json.loads(json.dumps(part.to_json(), allow_nan=False))))
    assert merged.statistics() == whole.statistics()
