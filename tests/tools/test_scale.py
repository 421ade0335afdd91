"""The scale tool: its corpora are complete, its lines are those of closed forms, and a small run is measured."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def scale() -> ModuleType:
    """tools/scale.py as a module."""
    spec = importlib.util.spec_from_file_location("scale_tool", ROOT / "tools" / "scale.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale_tool"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four recordings of a buzzing voice, one too long to be used."""
    folder = tmp_path / "source"
    (folder / "wavs").mkdir(parents=True)
    lines = []
    for index, seconds in enumerate((1.2, 1.5, 1.1, 5.0)):
        time_s = np.arange(int(22050 * seconds)) / 22050
        samples = sum(np.sin(2 * np.pi * 120 * harmonic * time_s) / harmonic for harmonic in range(1, 9))
        soundfile.write(folder / "wavs" / f"a{index}.wav", 0.1 * samples, 22050, subtype="PCM_16")
        lines.append(f"a{index}|one two three, four five number {index}.\n")
    (folder / "metadata.csv").write_text("".join(lines))
    return folder


def test_a_corpus_is_complete_and_alike_each_time(scale: ModuleType, source: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        speech_s = scale.make_corpus(tmp_path / name, source, 7, 10)
        assert speech_s == pytest.approx(3 * 1.1 + 2 * 1.2 + 2 * 1.5, abs=1e-3)
    tables = [(tmp_path / name / "metadata.csv").read_text() for name in ("a", "b")]
    assert tables[0] == tables[1]
    rows = [line.split("|") for line in tables[0].splitlines()]
    assert [f"{row[0]}.wav" for row in rows] == sorted(path.name for path in (tmp_path / "a" / "wavs").iterdir())
    assert all(len(text.split()) == 5 for _, text in rows)
    with pytest.raises(SystemExit, match="no recording between"):
        scale.make_corpus(tmp_path / "c", source, 7, 0)


def test_lines(scale: ModuleType) -> None:
    xs = [1000.0, 2000.0, 4000.0]
    assert scale.line(xs, [3 + 0.5 * x for x in xs]) == pytest.approx((3, 0.5))
    assert scale.line([10.0], [5.0]) == (0, 0.5)
    noisy = [1.0, 2.5, 3.6]
    assert scale.line(xs, noisy) == pytest.approx(tuple(np.polyfit(xs, noisy, 1)[::-1]))
    assert scale.bend(xs, [7 + 2 * x for x in xs]) == pytest.approx(1)
    assert scale.bend(xs, [x**2 for x in xs]) == pytest.approx(2)  # 4000 + 2000 over 2000 + 1000


def test_report_extrapolates_the_lines(scale: ModuleType) -> None:
    """10,000 hours in clips of 2 s are 18 million utterances."""
    found = [
        scale.Measured(n, 2.0 * n, "extract", 1.0, 5 + 0.01 * n, 100 + 0.001 * n, 250.0, 0.05 * n, n // 10, 1)
        for n in (1000, 2000, 4000)
    ]
    text = "\n".join(scale.report(found, 1))
    assert "2.00 s (18.0 million utterances)" in text
    assert "50 CPU hours, 0.90 TB, 18.1 GB in the runner" in text
    assert scale.report(found, 2) == ["nothing has been measured"]


def test_memory_and_cpu_are_seen(scale: ModuleType, tmp_path: Path) -> None:
    child = (
        "x = bytearray(120_000_000); import time; t = time.process_time()\nwhile time.process_time() < t + 0.3: pass"
    )
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    wall_s, watch = scale.measure([sys.executable, "-c", program], tmp_path / "log")
    assert watch.worker_mb > 114 > watch.main_mb > 5
    assert wall_s > 0.3 and 0.2 < watch.cpu_s < 5 and watch.main_cpu_s < watch.cpu_s
    with pytest.raises(SystemExit, match="ended with 3"):
        scale.measure([sys.executable, "-c", "import sys; sys.exit(3)"], tmp_path / "log")


def test_stages_are_measured_once(
    scale: ModuleType, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    work = tmp_path / "work"
    arguments = ["--source", str(source), "--utterances", "60", "--work", str(work), "--discard"]
    assert scale.main(arguments) == 0
    rows = [json.loads(line) for line in (work / "measured.jsonl").read_text().splitlines()]
    assert [row["stage"] for row in rows] == ["prepare", "tokenize", "align", "extract"]
    assert all(row["n_utterances"] == 60 and row["cpu_s"] > 0 and row["main_mb"] > 10 for row in rows)
    assert "prepare" in capsys.readouterr().out and not list(work.glob("corpus-*"))
    assert scale.main(arguments) == 0
    assert len((work / "measured.jsonl").read_text().splitlines()) == 4
