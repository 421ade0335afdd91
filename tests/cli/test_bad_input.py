"""What people get wrong, through the real command line: one clear line, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from recipes.tts.common.corpora.mini import speak_mini_corpus
from speechkd.errors import ResourceError
from speechkd.models.tts.config import FastSpeech2Config
from speechkd.models.tts.fastspeech2 import FastSpeech2
from speechkd.models.vocoder import HIFIGAN_V3, GriffinLim
from speechkd.models.vocoder.config import MelShape, to_published_json
from speechkd.synthesis.manifest import VoiceSource
from speechkd.synthesis.pack import pack_voice
from speechkd.text import ENGLISH_SYMBOLS

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = [sys.executable, "-c", "import sys; from speechkd.cli.main import main; sys.exit(main())"]
STAGES = "1 prepare, 2 tokenize, 3 align, 4 extract"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def complains(self, code: int, *words: str) -> None:
        """The exit code, one line of error that holds the words, and no traceback."""
        assert self.code == code, self
        assert "Traceback" not in self.out + self.err, self
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self
        for word in words:
            assert word in lines[0], (word, lines[0])


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `speechkd …` in a process of its own, in a folder of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path / "c")}
    environment.pop("SPEECHKD_VOICE", None)

    def call(*arguments: str) -> Ended:
        command = [*PROGRAM, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110)
        return Ended(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The same program within this process, for the many cases that need no start-up of their own."""
    from speechkd.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEECHKD_VOICE", raising=False)

    def call(*arguments: str) -> Ended:
        code = main(list(arguments))
        shown = capsys.readouterr()
        return Ended(code, shown.out, shown.err)

    return call


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mini") / "corpus"
    try:
        speak_mini_corpus(folder, 8)
    except ResourceError as error:
        pytest.skip(str(error))
    return folder


@pytest.fixture
def corpus(spoken: Path, tmp_path: Path) -> Path:
    """Eight sentences laid out like LJSpeech, and conf.yaml beside them."""
    shutil.copytree(spoken, tmp_path / "corpus")
    return tmp_path / "corpus"


@pytest.fixture
def conf(tmp_path: Path) -> str:
    base = ROOT / "recipes" / "tts" / "fastspeech2" / "conf" / "small.yaml"
    lines = [
        f"base: {json.dumps(str(base))}",
        "run: {dir: run}",
        "corpus: {name: own, dir: corpus}",
        "split: {valid: 1, test: 2}",
        "pack: {name: own}",
    ]
    (tmp_path / "conf.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "conf.yaml"


def published(run_dir: Path) -> list[str]:
    """Everything under a run folder that counts: records, and folders that stages publish."""
    kept = {".lock", ".work", "logs", "config.yaml"}
    return sorted(path.name for path in run_dir.glob("*") if path.name not in kept | {".records"}) + sorted(
        path.name for path in run_dir.glob(".records/*")
    )


# Recordings and transcripts


def remove_wav(folder: Path) -> None:
    (folder / "wavs" / "MINI-001.wav").unlink()


def empty_text(folder: Path) -> None:
    edit_line(folder, 1, "MINI-002||")


def repeat_id(folder: Path) -> None:
    edit_line(folder, 2, "MINI-001|Again.|Again.")


def empty_wav(folder: Path) -> None:
    (folder / "wavs" / "MINI-004.wav").write_bytes(b"")


def cut_wav(folder: Path) -> None:
    path = folder / "wavs" / "MINI-005.wav"
    path.write_bytes(path.read_bytes()[:20000])


def edit_line(folder: Path, index: int, text: str) -> None:
    path = folder / "metadata.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[index] = text
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


FAULTS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "missing wav": (remove_wav, "metadata.csv:1:1", "wavs has no MINI-001.wav"),
    "empty transcript": (empty_text, "metadata.csv:2:11", "has no text"),
    "duplicate id": (repeat_id, "metadata.csv:3:1", "id 'MINI-001' stands already in line 1"),
    "0-byte wav": (empty_wav, "wavs/MINI-004.wav", "has 0 bytes"),
    "lying header": (cut_wav, "wavs/MINI-005.wav", "the header promises"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_of_a_corpus_stops_the_run(call: Run, corpus: Path, conf: str, fault: str, tmp_path: Path) -> None:
    spoil, where, what = FAULTS[fault]
    spoil(corpus)
    ended = call("run", conf, "--jobs", "1")
    ended.complains(3, str(corpus), "1 error", where, what, "speechkd data validate")
    assert published(tmp_path / "run") == []
    ended = call("data", "validate", "corpus")
    assert (ended.code, ended.err) == (3, "")
    assert [line for line in ended.out.splitlines() if where in line and what in line]


def test_all_faults_of_a_corpus_are_told_in_one_pass(
    run: Run, call: Run, corpus: Path, conf: str, tmp_path: Path
) -> None:
    for spoil, _, _ in FAULTS.values():
        spoil(corpus)
    ended = run("run", conf, "--jobs", "1")
    ended.complains(3, "5 errors in the corpus", "and 4 more")
    assert published(tmp_path / "run") == []
    told = (tmp_path / "run" / "logs" / "01_prepare.log").read_text(encoding="utf-8")
    listed = call("data", "validate", "corpus", "--json", "report.json")
    assert (listed.code, listed.err) == (3, "")
    for _, where, what in FAULTS.values():
        assert any(where in line and what in line for line in told.splitlines())
        assert any(where in line and what in line for line in listed.out.splitlines())
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["counts"]["error"] == len(FAULTS)
    assert "failed: " in call("run", conf, "--list").out.splitlines()[0]


def test_a_corrected_corpus_goes_on(call: Run, corpus: Path, conf: str, tmp_path: Path) -> None:
    sound = (corpus / "metadata.csv").read_bytes()
    empty_text(corpus)
    assert call("run", conf, "--stop-stage", "prepare").code == 3
    (corpus / "metadata.csv").write_bytes(sound)
    assert call("run", conf, "--stop-stage", "prepare").code == 0
    assert published(tmp_path / "run") == ["manifest", "prepare.json"]


@pytest.mark.parametrize("folder", ["nowhere", "conf.yaml"])
def test_a_missing_corpus_folder(call: Run, conf: str, folder: str, tmp_path: Path) -> None:
    ended = call("run", conf, "--set", f"corpus.dir={folder}")
    ended.complains(3, folder, "there is no such folder", "--set corpus.dir=FOLDER")
    assert published(tmp_path / "run") == []
    call("data", "validate", folder).complains(3, folder, "metadata.csv")


# Configurations


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("trian: {max_steps: 3}", ("conf.yaml:6:1: trian", "did you mean train?")),
        ("train: {sede: 3}", ("conf.yaml:6:9: train.sede", "did you mean seed?")),
        ("audio: {hop_samples: -256}", ("conf.yaml:6:9: audio.hop_samples", "mel preset fixes it", "audio.mel")),
        ("audio: {mel: hifigan_22}", ("conf.yaml:6:14: audio.mel", "hifigan_16k, hifigan_22k", '"hifigan_22"')),
        ("train: {max_steps: many}", ("conf.yaml:6:20: train.max_steps", "integer", '"many"')),
        ("train: {max_steps: [", ("conf.yaml:", "not valid YAML")),
    ],
)
def test_mistakes_in_a_file(call: Run, conf: str, line: str, words: tuple[str, ...], tmp_path: Path) -> None:
    with (tmp_path / conf).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    call("run", conf).complains(2, *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("audio.mel=-256", ("hifigan_16k, hifigan_22k", "-256")),
        ("audio.hop_samples=-256", ("audio.hop_samples", "mel preset fixes it")),
        ("trian.max_steps=3", ("did you mean train?",)),
        ("train.max_steps=lots", ("should be a valid integer", '"lots"')),
        ("train.max_steps=0", ("train.max_steps", "greater than or equal to 1")),
        ("nonsense", ("expected KEY=VALUE",)),
        ("vocoder.path=nowhere", ("vocoder.path", "there is no vocoder")),
        ("recipe=tts/fastspech2", ("Did you mean tts/fastspeech2?",)),
    ],
)
def test_mistakes_in_a_setting(call: Run, conf: str, setting: str, words: tuple[str, ...], tmp_path: Path) -> None:
    call("run", conf, "--set", setting).complains(2, *words)
    assert not (tmp_path / "run").exists()


def test_several_mistakes_are_told_at_once_one_per_line(call: Run, conf: str, tmp_path: Path) -> None:
    ended = call("run", conf, "--set", "train.sede=1", "--set", "train.max_steps=x", "--set", "audio.mel=mine")
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert [line.split(": ")[1] for line in sorted(ended.err.splitlines())] == [
        "--set audio.mel", "--set train.max_steps", "--set train.sede",
    ]  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_a_vocoder_of_another_mel_is_refused_before_any_work(call: Run, conf: str, tmp_path: Path) -> None:
    config = HIFIGAN_V3.model_copy(update={"n_mels": 100})
    mel = MelShape.published().model_copy(update={"n_mels": 100})
    (tmp_path / "vocoder").mkdir()
    (tmp_path / "vocoder" / "config.json").write_text(json.dumps(to_published_json(config, mel)), encoding="utf-8")
    call("run", conf, "--set", "vocoder.path=vocoder").complains(2, "vocoder.path", "no vocoder checkpoint found")
    (tmp_path / "vocoder" / "generator.pt").write_bytes(b"never read")
    ended = call("run", conf, "--set", "vocoder.path=vocoder")
    ended.complains(2, "vocoder.path", "hifigan_22k", "n_mels is 100 and 80")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["conf.yaml", "--stage", "trian"], 2, ("has no stage 'trian'", STAGES)),
        (["conf.yaml", "--only", "77"], 2, ("has no stage '77'", STAGES)),
        (["conf.yaml", "--stage", "5", "--stop-stage", "2"], 2, ("comes after",)),
        (["conf.yaml", "--stage", "5"], 2, ("not up to date", "prepare: missing")),
        (["conf.yaml", "--jobs", "none"], 2, ("--jobs", "speechkd run --help")),
        (["conf.yaml", "--forse"], 2, ("--forse", "speechkd run --help")),
        (["nofile.yaml"], 2, ("nofile.yaml", "No such file")),
        (["conf.yaml", "--set", "run.dir=conf.yaml"], 6, ("conf.yaml", "file is in the way", "run.dir=FOLDER")),
        (["conf.yaml", "--set", "run.dir=/proc/none"], 6, ("/proc/none", "cannot be made", "run.dir=FOLDER")),
    ],
)
def test_wrong_calls_of_run(
    call: Run, conf: str, arguments: list[str], code: int, words: tuple[str, ...], tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    call("run", *arguments).complains(code, *words)
    assert sorted(tmp_path.iterdir()) == before


# Voices


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice that speaks nonsense, quickly."""
    torch.manual_seed(0)
    stack = {"layers": 1, "heads": 1, "conv_channels": 16, "conv_kernel": 3}
    network: dict[str, Any] = {
        "hidden": 16, "encoder": stack, "decoder": stack, "predictor": {"layers": 1, "channels": 16},
        "pitch": {"target": "f0", "level": "phoneme"}, "energy": {"level": "phoneme"},
    }  # fmt: skip
    statistics = {
        "f0_min_hz": 80.0, "f0_max_hz": 400.0, "log_f0_mean": 5.3, "log_f0_deviation": 0.2, "energy_min": 0.0,
        "energy_max": 100.0, "energy_mean": 20.0, "energy_deviation": 10.0, "mel_mean": (-5.0,) * 80,
        "mel_deviation": (2.0,) * 80,
    }  # fmt: skip
    config = {"network": network, "n_symbols": len(ENGLISH_SYMBOLS), "n_mels": 80, "statistics": statistics}
    folder = tmp_path_factory.mktemp("voices") / "voice"
    pack_voice(
        folder,
        name="tiny",
        acoustic=FastSpeech2(FastSpeech2Config.model_validate(config)),
        vocoder=GriffinLim("hifigan_22k", 2),
        symbols=ENGLISH_SYMBOLS,
        mel_preset_name="hifigan_22k",
        card="# tiny\n",
        lexicon={},
        source=VoiceSource(recipe="tts/fastspeech2"),
    )
    return folder


@pytest.fixture
def voice(packed: Path, tmp_path: Path) -> Path:
    shutil.copytree(packed, tmp_path / "voice")
    return tmp_path / "voice"


def test_the_voice_speaks_where_nothing_is_wrong(run: Run, voice: Path, tmp_path: Path) -> None:
    ended = run("synthesize", "Hello world.", "--voice", "voice", "-o", "out.wav")
    assert (ended.code, ended.err) == (0, "")
    assert (tmp_path / "out.wav").stat().st_size > 44


@pytest.mark.parametrize("name", ["acoustic.safetensors", "symbols.json", "lexicon.txt", "card.md", "voice.json"])
def test_a_voice_without_one_of_its_files(call: Run, voice: Path, name: str, tmp_path: Path) -> None:
    (voice / name).unlink()
    call("synthesize", "Hi.", "--voice", "voice", "-o", "out.wav").complains(5, "voice", name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["voice"]


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("voice.json", half, ("cannot be read", "Pack the voice again")),
        ("voice.json", lambda data: b"\xff\xfe" + data, ("cannot be read",)),
        ("voice.json", lambda data: b"[]", ("unknown voice format",)),
        ("voice.json", lambda data: data.replace(b'"format": 1', b'"format": 9'), ("format is 9",)),
        ("voice.json", lambda data: data.replace(b"22050", b"-3"), ("voice.json", "sample_rate")),
        ("voice.json", lambda data: data.replace(b'"n_symbols": ', b'"n_symbols": 1'), ("does not fit its weights",)),
        ("acoustic.safetensors", half, ("damaged", "SHA-256")),
        ("acoustic.safetensors", lambda data: data[:-1] + b"?", ("damaged", "SHA-256")),
        ("symbols.json", lambda data: data + b" ", ("symbols.json", "damaged")),
    ],
)
def test_a_voice_that_was_changed(
    call: Run, voice: Path, name: str, change: Callable[[bytes], bytes], words: tuple[str, ...], tmp_path: Path
) -> None:
    (voice / name).write_bytes(change((voice / name).read_bytes()))
    call("synthesize", "Hi.", "--voice", "voice", "-o", "out.wav").complains(5, *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["voice"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["..."], 2, ("nothing to speak", "'...'")),
        ([""], 2, ("nothing to speak", "empty")),
        (["Hi.", "--speed", "9"], 2, ("speed is 9", "0.25 to 4")),
        (["Hi.", "--speed", "nan"], 2, ("speed is nan",)),
        (["Hi.", "--speed", "fast"], 2, ("--speed", "speechkd synthesize --help")),
        (["Hi.", "--pitch", "40"], 2, ("pitch is 40", "-12 to 12")),
        (["Hi.", "-o", "out.doc"], 2, ("out.doc", ".wav, .flac")),
        (["Hi.", "-o", "/proc/none/out.wav"], 6, ("/proc/none/out.wav", "cannot be written")),
        (["Hi.", "-o", "voice/card.md/out.wav"], 6, ("voice/card.md/out.wav", "cannot be written")),
        (["Hi.", "--loudness", "3"], 2, ("--loudness", "speechkd synthesize --help")),
        (["--file", "nowhere.txt"], 3, ("nowhere.txt", "cannot be read")),
        ([], 2, ("give the text",)),
    ],
)
def test_requests_that_cannot_be_met(
    call: Run, voice: Path, arguments: list[str], code: int, words: tuple[str, ...], tmp_path: Path
) -> None:
    call("synthesize", *arguments, "--voice", "voice").complains(code, *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["voice"]


def test_a_voice_that_is_not_there(call: Run, voice: Path) -> None:
    call("synthesize", "Hi.", "--voice", "nobody").complains(2, "nobody", "speechkd voices")
    call("synthesize", "Hi.", "--voice", "no/where").complains(5, "no/where", "does not exist")
    call("synthesise", "Hi.").complains(2, "synthesise", "Did you mean synthesize?")


def test_a_disk_that_fills_up_leaves_no_part_of_a_file(
    call: Run, voice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: Any) -> None:
        Path(path).write_bytes(b"RIFF")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("speechkd.synthesis.speech.write_pieces", full)
    (tmp_path / "out.wav").write_bytes(b"older")
    call("synthesize", "Hi.", "--voice", "voice", "-o", "out.wav").complains(6, "out.wav", "No space left")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.wav", "voice"]
    assert (tmp_path / "out.wav").read_bytes() == b"older"
