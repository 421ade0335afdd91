"""The voice in the box: there, small, licensed, and speaking with nothing but the base install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import speechkd
from speechkd.audio.io import read_audio
from speechkd.synthesis.find import VOICE_VARIABLE, shipped_voices

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 16_000_000
# Torch is as good as not installed: importing it fails.
SPEAK = """
import sys
sys.modules["torch"] = None
from speechkd.cli.main import main
sys.exit(main(["synthesize", "Hello world.", "-o", "hello.wav"]))
"""


def test_it_is_small_and_says_where_it_comes_from() -> None:
    (voice,) = shipped_voices()
    assert voice.manifest is not None and voice.manifest.onnx is not None and not voice.manifest.has_weights
    assert sum(path.stat().st_size for path in voice.folder.iterdir()) <= MOST_BYTES
    assert "CC0" in (voice.manifest.source.licence or "")
    card = (voice.folder / "card.md").read_text(encoding="utf-8")
    assert "| command | `egs/kathleen/tts1/run.sh default_voice" in card and "MCD-DTW" in card


def test_it_speaks_offline_without_torch_from_any_folder(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != VOICE_VARIABLE}
    environment |= {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SPEAK], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    sound = read_audio(tmp_path / "hello.wav")
    assert sound.sample_rate == 22_050 and 0.5 < len(sound.samples) / 22_050 < 2.0
    assert 0.02 < np.abs(sound.samples).max() <= 1.0


@pytest.mark.parametrize("speed", [0.8, 1.25])
def test_it_obeys(speed: float) -> None:
    (found,) = shipped_voices()
    voice = speechkd.load_voice(found.folder)
    text = "The birch canoe slid on the smooth planks."
    plain = voice.synthesize(text)
    assert voice.synthesize(text, speed=speed).duration_s * speed == pytest.approx(plain.duration_s, rel=0.05)
    assert [word.text.lower() for word in plain.words] == text.lower().rstrip(".").split()
