"""`speechkd synthesize` and `speechkd voices`, as a user calls them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from functools import partial

import pytest
import soundfile

from speechkd.cli.main import main
from speechkd.synthesis import find, load
from tests.synthesis.standin import STAND_INS, StandIn, StandInConfig, pack


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEECHKD_VOICE", raising=False)
    monkeypatch.setattr(find, "SHIPPED", tmp_path / "package")
    monkeypatch.setattr(load, "load_voice", partial(load.load_voice, models=STAND_INS))
    return tmp_path


def test_text_becomes_a_file_and_a_line(workplace, capsys):
    pack(workplace / "exp" / "mini" / "toy" / "voice")
    assert main(["synthesize", "Did it work?", "-o", "out/it.wav", "--times", "out/it.json", "--pitch", "-2"]) == 0
    line = capsys.readouterr().out
    samples, rate = soundfile.read("out/it.wav")
    assert "out/it.wav" in line
    assert f"{len(samples) / rate:.2f} s" in line
    assert "real-time factor" in line
    times = json.loads((workplace / "out" / "it.json").read_text())
    assert [word["text"] for word in times["words"]] == ["did", "it", "work"]
    assert times["duration_s"] == pytest.approx(len(samples) / rate, abs=1e-4)


def test_the_newest_voice_speaks_unless_another_is_named(workplace, capsys, monkeypatch):
    for age, name in ((20, "older"), (10, "newer")):
        pack(workplace / "exp" / "mini" / name / "voice", name=name)
        stamp = 1_700_000_000 - age
        os.utime(workplace / "exp" / "mini" / name / "voice" / "voice.json", (stamp, stamp))

    def speaker(*options: str) -> str:
        assert main(["synthesize", "Did it?", *options]) == 0
        return capsys.readouterr().out

    assert "voice newer" in speaker()
    assert "voice older" in speaker("--voice", "older")
    assert "voice older" in speaker("--voice", "exp/mini/older/voice")
    monkeypatch.setenv("SPEECHKD_VOICE", str(workplace / "exp" / "mini" / "older" / "voice"))
    assert "voice older" in speaker()
    assert "voice newer" in speaker("--voice", "newer")


def test_a_text_file_is_spoken(workplace):
    pack(workplace / "exp" / "toy" / "voice")
    (workplace / "text.txt").write_text("\N{ZERO WIDTH NO-BREAK SPACE}Did it?\n", encoding="utf-8")
    assert main(["synthesize", "--file", "text.txt", "-o", "a.wav"]) == 0
    assert main(["synthesize", "Did it?", "-o", "b.wav"]) == 0
    assert (workplace / "a.wav").read_bytes() == (workplace / "b.wav").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["Hello."], 2, "make demo"),
        (["Hello.", "--voice", "nobody"], 2, "nobody"),
        (["Hello.", "--voice", "no/where"], 5, "does not exist"),
        ([], 2, "give the text"),
        (["Hello.", "--file", "x.txt"], 2, "give the text"),
        (["--file", "x.txt"], 3, "x.txt"),
    ],
)
def test_what_is_missing_is_said(capsys, arguments, code, message):
    assert main(["synthesize", *arguments]) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["Hi.", "--speed", "9"], "speed is 9"), (["..."], "nothing to speak"), (["Hi.", "-o", "a.doc"], "a.doc")],
)
def test_requests_out_of_range_leave_no_file(workplace, capsys, arguments, message):
    pack(workplace / "exp" / "toy" / "voice")
    assert main(["synthesize", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in workplace.iterdir()) == ["exp"]


def test_voices_are_listed_with_those_that_are_broken(workplace, capsys):
    assert main(["voices"]) == 0
    assert "make demo" in capsys.readouterr().out
    pack(workplace / "exp" / "mini" / "toy" / "voice", name="[red]toy")
    broken = workplace / "exp" / "mini" / "bad" / "voice"
    pack(broken)
    (broken / "voice.json").write_text('{"format": 7}')
    assert main(["voices"]) == 0
    out = capsys.readouterr().out
    for expected in ("[red]toy", "22050 Hz", "tts/toy", "exp/mini/toy/voice", "format is 7", "exp/mini/bad/voice"):
        assert expected in out


def test_importing_and_listing_need_no_torch(workplace):
    pack(workplace / "exp" / "toy" / "voice")
    script = (
        "import sys, speechkd; assert callable(speechkd.load_voice)\n"
        "from speechkd.cli.main import main\n"
        "assert main(['voices']) == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "exp/toy/voice" in done.stdout, done.stderr


def test_speaking_without_torch_says_what_to_install(workplace, capsys, monkeypatch):
    pack(workplace / "exp" / "toy" / "voice")
    monkeypatch.setattr(load, "find_spec", lambda _name: None)
    assert main(["synthesize", "Hello."]) == 6
    assert "pip install 'speechkd[torch]'" in capsys.readouterr().err


def test_a_voice_of_several_is_told_who_speaks(workplace):
    pack(workplace / "both", acoustic=StandIn(StandInConfig(speakers=("ann", "ben"))))
    for name in ("ann", "ben"):
        assert main(["synthesize", "Did it?", "--voice", "./both", "--speaker", name, "-o", f"{name}.wav"]) == 0
    ann, ben = (soundfile.read(f"{name}.wav")[0] for name in ("ann", "ben"))
    assert len(ann) == len(ben) and (ann != ben).any()
    assert main(["synthesize", "Did it?", "--voice", "./both", "--speaker", "cat"]) == 2


def test_voices_tell_who_speaks(workplace, capsys):
    pack(workplace / "exp" / "one" / "voice", name="solo")
    pack(workplace / "exp" / "two" / "voice", name="pair", acoustic=StandIn(StandInConfig(speakers=("ann", "ben"))))
    assert main(["voices"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "speakers" in rows["name"]
    assert "ann, ben" in rows["pair"] and "ann" not in rows["solo"] and " one " in rows["solo"]


def test_speakers_stand_in_the_manifest_wherever_the_kind_keeps_them(workplace):
    manifest = pack(workplace / "voice")
    for config, names in (
        ({"speakers": ["ann", "ben"]}, ("ann", "ben")),
        ({"trunk": {"speakers": ["ann", "ben"]}}, ("ann", "ben")),
        ({"speakers": ["ann"]}, ()),
        ({"trunk": {}}, ()),
    ):
        part = manifest.acoustic.model_copy(update={"config": config})
        assert manifest.model_copy(update={"acoustic": part}).speakers == names


def test_standard_input_is_utf_8(workplace, capsys, monkeypatch):
    pack(workplace / "exp" / "toy" / "voice")
    for raw, code in (("\N{ZERO WIDTH NO-BREAK SPACE}Did it?\n".encode(), 0), (b"Did \xff it?", 3)):
        stream = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8")
        monkeypatch.setattr("sys.stdin", stream)
        assert main(["synthesize", "--file", "-", "-o", "piped.wav"]) == code
    err = capsys.readouterr().err
    assert "the text file cannot be read" in err and "Traceback" not in err
