"""The benchmarks of controls and of streaming measure what a voice does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechkd.synthesis import load_voice
from speechkd.synthesis.find import shipped_voices
from tests.synthesis.tiny import pack_kind
from tools.bench import main
from tools.bench_controls import Row, median_f0_hz, rows
from tools.bench_stream import Book, first_sound_s

SAMPLE_RATE = 22_050


def test_the_pitch_of_a_buzz_is_found() -> None:
    phase = np.arange(SAMPLE_RATE) * 170.0 / SAMPLE_RATE
    buzz = 0.1 * (phase % 1.0 - 0.5) + 1e-4 * np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    assert median_f0_hz(buzz.astype(np.float32), SAMPLE_RATE) == pytest.approx(170.0, rel=0.01)


def test_a_row_says_how_far_it_is_off() -> None:
    row = Row("speed", 2.0, 2.0, (2.0, 2.08, 2.16))
    assert row.off == pytest.approx([0.0, 0.04, 0.08]) and row.within
    assert not Row("speed", 2.0, 2.0, (2.12, 2.12)).within


def test_the_voice_in_the_box_does_what_it_is_asked() -> None:
    (shipped,) = shipped_voices()
    voice = load_voice(shipped.folder)
    made = rows(voice, ["The birch canoe slid on the smooth planks.", "Glue the sheet to the dark blue background."],
                ("speed", "pitch", "energy", "volume"))  # fmt: skip
    assert len(made) == 26
    # Four times as loud, samples would clip, and are bent.
    missed = {f"{row.control} {row.value:g}" for row in made if not row.within}
    assert missed <= {"energy 4", "volume 4"}


def test_books_and_first_sounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack_kind("fastspeech", tmp_path / "tiny")
    assert 0 < first_sound_s(load_voice(tmp_path / "tiny"), "Yes. No.") < 30
    assert main(["stream", str(tmp_path / "tiny"), "--words", "3", "--books", "5,40", "--threads", "1"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown[2:]] == ["3", "target", "words", "5", "40", "target"]


def test_the_slope_of_memory_is_that_of_the_second_half() -> None:
    points = tuple((3600.0 * hour, 1.0, 5e4 if hour < 4 else 1000.0 + 20.0 * hour) for hour in range(8))
    assert Book(1, 1.0, 1.0, 1.0, points).memory_slope_kib() == pytest.approx(20.0)
