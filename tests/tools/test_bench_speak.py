"""The speaking benchmark measures what a voice does, part by part, and fits growth as it is."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest

from speechkd.synthesis import load_voice
from tests.synthesis.tiny import pack_kind

ROOT = Path(__file__).resolve().parent.parent.parent


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def speak() -> ModuleType:
    return load_tool("bench_speak")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "tiny"
    pack_kind("fastspeech", path)
    return path


def test_parts_are_those_of_synthesize(speak: ModuleType, folder: Path) -> None:
    voice = load_voice(folder)
    times = speak.measure_sentence(voice, "Did it rain? Yes, twice.")
    assert set(times.wall_s) == set(times.cpu_s) == {"text", "acoustic", "vocoder"}
    assert times.speech_s == pytest.approx(voice.synthesize("Did it rain? Yes, twice.", pauses=0).duration_s)
    assert all(seconds > 0 for seconds in times.wall_s.values())
    total = sum(times.factor(part, "wall") for part in speak.PARTS)
    assert times.factor("sum", "wall") == pytest.approx(total)


def test_the_table_has_medians(speak: ModuleType) -> None:
    times = [
        speak.SentenceTimes(dict.fromkeys(speak.PARTS, n * 0.1), dict.fromkeys(speak.PARTS, n * 0.2), 2.0)
        for n in (1, 2, 9)
    ]
    rows = {line.split()[0]: line.split()[1:] for line in speak.table(times, threads=2)[2:]}
    assert rows["acoustic"] == ["0.1000", "0.2000", "0.1000"]
    assert rows["sum"] == ["0.3000", "0.6000", "0.3000"]


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_slope_is_the_power(speak: ModuleType, power: float) -> None:
    points = [speak.Point(n, 1.0, 0.003 * n**power, 1.0, 50.0) for n in (100, 500, 2000)]
    points.insert(0, speak.Point(1, 1.0, 7.0, 1.0, 50.0))
    assert speak.slope(points, lambda point: point.cpu_s) == pytest.approx(power)
    assert speak.slope(points, lambda point: point.peak_mib) == pytest.approx(0.0)
    assert math.isnan(speak.slope(points[:2], lambda point: point.cpu_s))
    assert f"{power:.2f} of CPU time, 0.00 of peak memory" in speak.growth_lines(points)[-1]


def test_texts_have_as_many_words_as_asked(speak: ModuleType) -> None:
    assert [len(speak.text_of(n).split()) for n in (1, 10, 2000)] == [1, 10, 2000]


def test_the_command_prints_everything(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = load_tool("bench")
    # Tests of a busy machine say nothing about speed: only that figures are there.
    assert bench.main(["speak", str(folder), "--sentences", "3", "--runs", "1", "--words", "5", "--threads", "1"]) == 0
    shown = capsys.readouterr().out
    for expected in (
        "engine torch",
        "3 sentences",
        "acoustic",
        "sum",
        "target     0.01",
        "speechkd synthesize",
        "slope",
    ):
        assert expected in shown
    assert len([line for line in shown.splitlines() if line.split()[:1] == ["5"]]) == 1


def test_a_process_that_fails_is_told(speak: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="exit code 3"):
        speak.run_apart(["-c", "raise SystemExit(3)"])
    told, wall_s, cpu_s, peak_kib = speak.run_apart(["-c", "import sys; print(sys.stdin.read() + '!')"], "hello")
    assert told == "hello!\n" and wall_s > 0 and cpu_s > 0 and peak_kib > 1000


def test_a_voice_that_makes_samples_is_not_asked_for_a_vocoder(
    speak: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_kind("samples", tmp_path / "voice")
    voice = load_voice(tmp_path / "voice")
    asked: list[object] = []
    monkeypatch.setattr(voice.engine, "vocode", asked.append)
    times = speak.measure_sentence(voice, "Yes.")
    assert not asked and times.speech_s == pytest.approx(voice.synthesize("Yes.").duration_s)
