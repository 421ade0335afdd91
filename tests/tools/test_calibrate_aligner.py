"""The calibration keeps its halves apart, and learns from what the files say."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from speechkd.align import Alignment, Interval

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(TOOLS))
    yield importlib.import_module("calibrate_aligner")
    sys.modules.pop("calibrate_aligner", None)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(TOOLS))
    yield importlib.import_module("boundary_training")
    sys.modules.pop("boundary_training", None)


def test_parts(tool: ModuleType, tmp_path: Path) -> None:
    rows = [f"u{number:02d}|raw {number}|text {number}\n" for number in reversed(range(16))]
    (tmp_path / "metadata.csv").write_text("".join(rows))
    assert tool.part(tmp_path, "test") == [f"u{number:02d}" for number in range(1, 16, 2)]
    assert tool.part(tmp_path, "calibration") == [f"u{number:02d}" for number in range(0, 16, 2)]
    assert tool.part(tmp_path, "held-out") == ["u06", "u14"]
    assert tool.part(tmp_path, "chosen") == ["u00", "u02", "u04", "u08", "u10", "u12"]
    assert tool.texts_of(tmp_path)["u03"] == "text 3"


def test_usual_durations_and_priors(tool: ModuleType) -> None:
    edges = [0.0, *np.cumsum([0.5, 0.1, 0.2] * 200 + [0.5])]
    labels = ["", "AH0", "N"] * 200 + [""]
    phones = tuple(Interval(a, b, label) for a, b, label in zip(edges, edges[1:], labels, strict=False))
    grid = Alignment((), phones, float(edges[-1]))
    durations = tool.usual_durations([grid])
    assert durations["AH0"] == durations["AH"]
    assert np.exp(durations["N"][0] - durations["AH"][0]) == pytest.approx(2, rel=0.05)
    assert durations["AH"][1] < 0.1 < durations["ZH"][1]  # never heard: as wide as all phones together
    shares = np.exp(tool.log_prior([grid], ["", "AH", "N"]))
    assert shares == pytest.approx([5 / 8, 1 / 8, 2 / 8], abs=0.01)


@pytest.mark.parametrize("speed", [1.0, 1.25])
def test_a_faster_clip_has_its_phones_earlier(training: ModuleType, tmp_path: Path, speed: float) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 16000)
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    phones = [Interval(0, 0.25, ""), Interval(0.25, 0.5, "S"), Interval(0.5, 1.0, "spn")]
    clip = training.clip_of(tmp_path / "a.wav", phones, speed, exact=True)
    assert len(clip.mel) == len(clip.labels) == round(100 / speed)
    assert np.flatnonzero(clip.begins).tolist() == [round(25 / speed), round(50 / speed)]
    place = training.LABELS.index("S")
    assert (clip.labels[: round(25 / speed)] == 0).all()
    assert (clip.labels[round(25 / speed) : round(50 / speed)] == place).all() and (
        clip.labels[round(50 / speed) :] == -1
    ).all()
    unsure = training.clip_of(tmp_path / "a.wav", phones, speed, exact=False)
    assert not unsure.begins.any()
    assert (unsure.labels == place).sum() == (clip.labels == place).sum() - 2


def test_a_few_steps_learn(training: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Two labels that sound different are told apart, and the place where the second begins is found."""
    rng = np.random.default_rng(0)
    mel = rng.normal(0, 0.1, (300, training.N_MELS)).astype(np.float16)
    labels = np.repeat([0, 5] * 5, 30)
    mel[labels == 5] += 1
    begins = np.diff(labels, prepend=0) != 0
    network = training.train([[training.Clip(mel, labels, begins)]], training.Plan(100, 0, (1.0,), 2, 96))
    report = capsys.readouterr().out
    assert "step 100" in report
    from speechkd.align.refine_network import BoundaryNetwork

    tensors = {name: value.astype(np.float32) for name, value in network.tensors().items()}
    heard, evidence = BoundaryNetwork(training.LABELS, training.DILATIONS, (tensors,))(mel.astype(np.float32))
    assert (heard.argmax(axis=1) == labels).mean() > 0.9
    pair = BoundaryNetwork(training.LABELS, training.DILATIONS, (tensors,)).transitions(evidence, [(0, 5)])[0]
    assert abs(int(pair[75:105].argmax()) + 75 - 90) <= 2
