"""The benchmarks measure what the recipe does, and say so."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parent.parent.parent
TINY = [
    "model.hidden=16",
    "model.encoder={layers: 1, heads: 1, conv_channels: 16, conv_kernel: 3}",
    "model.decoder={layers: 1, heads: 1, conv_channels: 16, conv_kernel: 3}",
    "model.predictor={layers: 1, channels: 16}",
    "train.batch_frames=1000",
    "train.threads=1",
]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench", ROOT / "tools" / "bench.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    times_s = np.arange(22050) / 22050
    for i in range(4):
        tone = sum(np.sin(2 * np.pi * 120 * k * times_s) / k for k in range(1, 9))
        soundfile.write(tmp_path / f"{i}.wav", 0.1 * np.asarray(tone), 22050)
    return tmp_path


def test_lengths_are_those_of_ljspeech(bench: ModuleType) -> None:
    lengths = bench.synthetic_lengths(2000)
    assert lengths == bench.synthetic_lengths(2000)
    assert abs(np.mean(lengths) - 560) < 15
    store = bench.SyntheticStore(50)
    assert abs(np.mean([len(store.meta(id_)["symbols"]) for id_ in store.ids]) - 80) < 10
    for id_ in store.ids:
        arrays = store.arrays(id_)
        assert arrays["durations"].sum() == len(arrays["mel"]) == len(arrays["f0_hz"]) == store.frames[id_]


@pytest.mark.parametrize("preset", ["paper", "small"])
def test_training_counts_valid_frames_only(
    bench: ModuleType, preset: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(bench.StepClock, "advance", lambda clock, step, loss: _tick(clock, next(ticks)))
    speed = bench.measure_training(preset, steps=3, warm_up=2, utterances=12, overrides=TINY)
    # One second per step: the rate of a step is the sum of its utterances' lengths.
    lengths = bench.synthetic_lengths(12)
    assert len(speed.frames_per_s) == 3
    sums = {sum(each) for n in (1, 2, 3, 4) for each in _combinations(lengths, n)}
    assert set(speed.frames_per_s) <= sums
    assert max(speed.frames_per_s) <= 1000
    assert speed.cores_used == 1.0
    assert speed.frames_per_core_s == pytest.approx(np.mean(speed.frames_per_s))
    assert "mel frames/s" in "\n".join(speed.lines(preset))


def _tick(clock: Any, second: int) -> None:
    clock.wall_s.append(float(second))
    clock.cpu_s.append(float(second))


def _combinations(values: list[int], n: int) -> Any:
    from itertools import combinations

    return combinations(values, n)


def test_parts_of_extraction_are_the_stage(bench: ModuleType, corpus: Path) -> None:
    from recipes.tts.common.extract import Extraction, acoustic_features, load_speech
    from speechkd.audio.mel import mel_preset

    how = Extraction(mel_preset("hifigan_22k"), -20.0, "dio")
    path = corpus / "0.wav"
    times = bench.PartTimes()
    arrays, speech_s = bench.extract_in_parts(path, how, times)
    expected = acoustic_features(load_speech(path, how.preset, how.loudness_dbfs), how)
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)
    assert speech_s == len(arrays["mel"]) * 256 / 22050
    assert set(times.wall_s) == {*bench.STAGE_PARTS, "cwt"}


def test_extract_and_help_commands(bench: ModuleType, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["extract", "--corpus", str(corpus), "--limit", "2"]) == 0
    shown = capsys.readouterr().out
    assert "2 recordings" in shown
    assert "decode+mel+F0+energy" in shown
    assert bench.main(["extract", "--corpus", str(corpus / "nowhere")]) == 3
    assert bench.main(["help", "--runs", "1"]) == 0
    assert "torch is not imported" in capsys.readouterr().out
