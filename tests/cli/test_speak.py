"""`speechkd speak` and what `speechkd synthesize` writes besides one file; a stand-in for the sound device."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from speechkd.cli.main import main
from speechkd.synthesis import find, load, load_voice
from tests.synthesis.standin import STAND_INS, pack


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEECHKD_VOICE", raising=False)
    monkeypatch.setattr(find, "SHIPPED", tmp_path / "package")
    monkeypatch.setattr(load, "load_voice", partial(load.load_voice, models=STAND_INS))
    pack(tmp_path / "exp" / "toy" / "voice")
    return tmp_path


class Device(ModuleType):
    """Stands in for the module `sounddevice`: keeps what is played."""

    class PortAudioError(Exception):
        pass

    def __init__(self, there: bool = True) -> None:
        super().__init__("sounddevice")
        self.played: list[np.ndarray] = []
        self.there = there

    def query_devices(self, kind: str) -> dict[str, Any]:
        if not self.there:
            raise self.PortAudioError("Error querying device -1")
        return {"name": kind}

    def OutputStream(self, **asked: Any) -> Any:
        assert asked == {"samplerate": 22_050, "channels": 1, "dtype": "float32"}
        device = self

        class Stream:
            def __enter__(self) -> Any:
                return SimpleNamespace(write=device.played.append)

            def __exit__(self, *_: object) -> None:
                pass

        return Stream()


def test_speech_is_played_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device()
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    assert main(["speak", "Did it? It did.", "--speed", "2"]) == 0
    whole = load_voice(Path("exp/toy/voice"), STAND_INS).synthesize("Did it? It did.", speed=2.0)
    assert len(device.played) >= 2
    np.testing.assert_array_equal(np.concatenate(device.played)[:, 0], whole.samples)


def test_without_a_device_there_is_a_way(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", Device(there=False))
    assert main(["speak", "Did it?"]) == 6
    assert "speechkd synthesize" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert main(["speak", "Did it?"]) == 6
    assert "pip install 'speechkd[play]'" in capsys.readouterr().err


def test_a_list_becomes_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.jsonl").write_text('{"id": "a", "text": "Did it?"}\n{"id": "b", "text": "...", "speed": 2}\n')
    assert main(["synthesize", "--file", "list.jsonl", "--out-dir", "out", "--format", "flac"]) == 3
    shown = capsys.readouterr()
    assert "out: 1 of 2 spoken" in shown.out
    assert "list.jsonl:2: b: there is nothing to speak" in shown.err and "1 of 2 texts were not spoken" in shown.err
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.flac", "done.jsonl"]
    assert main(["synthesize", "Hi.", "--out-dir", "out"]) == 2
    assert "--file LIST.txt" in capsys.readouterr().err


def test_times_go_beside_the_sound_in_any_format() -> None:
    for suffix in ("json", "srt", "vtt", "TextGrid"):
        assert main(["synthesize", "Did it?", "-o", "a.wav", "--times", f"a.{suffix}"]) == 0
    assert [word["text"] for word in json.loads(Path("a.json").read_text())["words"]] == ["did", "it"]
    assert "did it" in Path("a.srt").read_text() and Path("a.vtt").read_text().startswith("WEBVTT")
    assert 'text = "did"' in Path("a.TextGrid").read_text()


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "flac"])
def test_the_suffix_chooses_the_format(suffix: str) -> None:
    assert main(["synthesize", "Did it?", "-o", f"a.{suffix}"]) == 0
    assert soundfile.info(f"a.{suffix}").duration == pytest.approx(
        load_voice(Path("exp/toy/voice"), STAND_INS).synthesize("Did it?").duration_s, abs=0.12
    )


def test_wrong_names_leave_nothing(capsys: pytest.CaptureFixture[str], workplace: Path) -> None:
    for arguments in (["-o", "a.doc"], ["--times", "a.doc"], ["--volume", "9"], ["--pauses", "-1"]):
        assert main(["synthesize", "Did it?", *arguments]) == 2
    assert [path.name for path in workplace.iterdir()] == ["exp"]
    assert "volume is 9" in capsys.readouterr().err


def test_standard_output_is_the_sound_and_nothing_else() -> None:
    script = (
        "import sys; from functools import partial; from speechkd.synthesis import load\n"
        "from tests.synthesis.standin import STAND_INS\n"
        "load.load_voice = partial(load.load_voice, models=STAND_INS)\n"
        "from speechkd.cli.main import main; sys.exit(main(sys.argv[1:]))\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", script, "synthesize", "--file", "-", "-o", "-", "--format", "pcm",
               "--voice", "exp/toy/voice"]  # fmt: skip
    done = subprocess.run(command, input=b"Did it?", capture_output=True, env={"PYTHONPATH": str(root)}, check=True)
    whole = load_voice(Path("exp/toy/voice"), STAND_INS).synthesize("Did it?")
    np.testing.assert_allclose(np.frombuffer(done.stdout, "<i2") / 32768, whole.samples, atol=1 / 32000)
    assert b"of audio, voice toy" in done.stderr
