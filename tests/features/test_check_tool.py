"""tools/check_features.py prints figures that are known for a corpus made of known sounds."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_features", ROOT / "tools" / "check_features.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_features"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three gliding voices, from 120 to 240 Hz, and a recording of nothing."""
    times_s = np.arange(22050) / 22050
    for number in range(3):
        f0 = 180 + 60 * np.sin(2 * np.pi * (1 + number) * times_s)
        phase = 2 * np.pi * np.cumsum(f0) / 22050
        soundfile.write(tmp_path / f"{number}.wav", 0.2 * sum(np.sin(k * phase) / k for k in range(1, 9)), 22050)
    soundfile.write(tmp_path / "empty.wav", np.random.default_rng(0).normal(0, 1e-4, 22050), 22050)
    return tmp_path


def test_figures_of_known_voices(tool: ModuleType, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main([str(corpus), "--harvest", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "4 recordings" in lines[0] and "86 to 86 frames" in lines[0]
    assert all("; 0 below 0.98" in line for line in lines[1:3])
    assert "0.00 octave jumps" in lines[3]
    (f0,) = (line for line in lines if line.startswith("F0 bins"))
    low, high = (float(word) for word in f0.split(" cents, ")[1].split(" Hz")[0].split(" to "))
    assert low == pytest.approx(120, rel=0.03) and high == pytest.approx(240, rel=0.03)
    assert "largest error 0.500 bins" in f0 or "largest error 0.49" in f0
    assert lines[-2] == "refused            1" and lines[-1].startswith("    empty.wav: no voiced speech found")


def test_jumps_are_octaves_between_neighbours(tool: ModuleType) -> None:
    assert tool.octave_jumps(np.array([100, 100, 200, 100, 0, 210, 150, 0])) == 3
    assert tool.octave_jumps(np.array([100, 0, 0, 0, 0, 0, 200])) == 0
    assert tool.octave_jumps(np.array([100, 150, 220])) == 0


def test_a_limit_spreads_over_the_corpus(tool: ModuleType, corpus: Path) -> None:
    assert [path.name for path in tool.recordings(corpus, 2)] == ["0.wav", "2.wav"]
    assert len(tool.recordings(corpus, 0)) == len(tool.recordings(corpus, 99)) == 4


def test_no_recordings(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main([str(tmp_path)]) == 3
    assert "no recordings" in capsys.readouterr().out
    soundfile.write(tmp_path / "empty.wav", np.zeros(22050), 22050)
    assert tool.main([str(tmp_path)]) == 3
    assert "refused            1" in capsys.readouterr().out
