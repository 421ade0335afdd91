"""A voice that speaks by denoising: packed, loaded, told in how many steps, and with which noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from speechkd.cli.main import main
from speechkd.errors import ConfigError, UsageError
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.synthesis import Voice, load_voice
from tests.synthesis.standin import STAND_INS, pack
from tests.synthesis.tiny import PRESET, pack_tiny, prodiff

TEXT = "Hello there. How are you?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prodiff") / "voice"
    pack_tiny(path, prodiff(2), GriffinLim(PRESET, n_iter=2))
    return path


@pytest.fixture(scope="module")
def voice(folder: Path) -> Voice:
    return load_voice(folder, threads=1)


def calls(voice: Voice) -> list[int]:
    """The indices that the voice's denoiser is asked about, from now on."""
    seen: list[int] = []
    engine: Any = voice.engine
    engine.acoustic.denoiser.register_forward_pre_hook(lambda _, args: seen.append(int(args[1][0])))
    return seen


def test_it_speaks_in_the_steps_that_it_is_told(folder: Path) -> None:
    voice = load_voice(folder)
    seen = calls(voice)
    assert voice.step_counts == (1, 2) and voice.engine.name == "torch"
    for steps, expected in ((None, [2, 0]), (2, [2, 0]), (1, [2])):
        seen.clear()
        speech = voice.synthesize("Hello there.", steps=steps)
        assert seen == expected and np.isfinite(speech.samples).all() and speech.duration_s > 0
    assert [word.text for word in speech.words] == ["hello", "there"]


def test_a_teachers_voice_speaks_in_four_steps(tmp_path: Path) -> None:
    pack_tiny(tmp_path / "voice", prodiff(0), GriffinLim(PRESET, n_iter=2))
    voice = load_voice(tmp_path / "voice")
    seen = calls(voice)
    voice.synthesize("Hello.")
    assert voice.step_counts == (1, 2, 4) and seen == [3, 2, 1, 0]


def test_the_same_seed_gives_the_same_samples_and_another_seed_others(voice: Voice) -> None:
    state = torch.random.get_rng_state()
    first = voice.synthesize(TEXT, seed=3)
    torch.rand(7)  # what is drawn in between does not count
    again, other = voice.synthesize(TEXT, seed=3), voice.synthesize(TEXT, seed=4)
    torch.random.set_rng_state(state)
    np.testing.assert_array_equal(first.samples, again.samples)
    assert first.samples.shape == other.samples.shape and not np.array_equal(first.samples, other.samples)
    np.testing.assert_array_equal(voice.synthesize(TEXT).samples, voice.synthesize(TEXT, seed=0, steps=2).samples)
    assert not np.array_equal(voice.synthesize(TEXT).samples, voice.synthesize(TEXT, steps=1).samples)


@pytest.mark.parametrize("steps", [3, 0, -1, 4])
def test_numbers_that_the_schedule_does_not_allow_are_refused(voice: Voice, steps: int) -> None:
    with pytest.raises(UsageError, match=rf"cannot speak in {steps} steps.*trained for 2.*Choose from 1, 2"):
        voice.synthesize("Hello.", steps=steps)


def test_a_voice_without_steps_refuses_them(tmp_path: Path) -> None:
    pack(tmp_path / "voice")
    voice = load_voice(tmp_path / "voice", STAND_INS)
    assert voice.step_counts == ()
    with pytest.raises(UsageError, match="has no steps to choose.*a standin model.*Leave steps out"):
        voice.synthesize("Hello.", steps=2)


def test_the_command_passes_steps_and_says_what_is_wrong(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def speak(name: str, *options: str) -> int:
        return main(["synthesize", "Hello.", "--voice", str(folder), "-o", str(tmp_path / name), *options])

    assert [speak("a.wav"), speak("b.wav", "--steps", "2"), speak("c.wav", "--steps", "1")] == [0, 0, 0]
    plain, two, one = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in "abc")
    assert np.array_equal(plain, two) and not np.array_equal(plain, one)
    assert speak("d.wav", "--steps", "3") == 2 and not (tmp_path / "d.wav").exists()
    assert "cannot speak in 3 steps" in capsys.readouterr().err


def test_graphs_of_it_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a prodiff model has no onnx form"):
        pack_tiny(tmp_path / "voice", prodiff(2), GriffinLim(PRESET, n_iter=2), onnx=True)
