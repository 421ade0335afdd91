"""MFA as an external program: what it is given, how each version is called, what comes back, and how it can fail.

The program is a stand-in (standin_mfa.py), except in the last test, which runs where a real one is installed.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechkd.align import Alignment, make_aligner, token_durations
from speechkd.align.mfa import run_mfa
from speechkd.align.mfa.export import dictionary_rows, planned, write_export
from speechkd.align.mfa.program import Job, Program, command_line, find_program, last_lines
from speechkd.align.options import MfaOptions
from speechkd.align.respell import respelled
from speechkd.align.types import AlignInput
from speechkd.errors import DataError, ResourceError, StageError
from speechkd.text.tokens import Word, lay_out

STANDIN = Path(__file__).parent / "standin_mfa.py"
RATE = 22050
LOG = logging.getLogger("test_mfa")

Make = Callable[[str, Sequence[Word]], AlignInput]

WORDS = {
    "we're": Word("we're", ("W", "IH1", "R"), "lexicon", (("W", "AY1", "ER0"),)),
    "were": Word("were", ("W", "ER1"), "lexicon"),
    "US": Word("US", ("Y", "UW2", "EH1", "S"), "letters"),
    "us": Word("us", ("AH1", "S"), "lexicon"),
    "forty-two": Word("forty-two", ("F", "AO1", "R", "T", "IY0", "T", "UW1"), "morphology"),
    "debtors'": Word("debtors'", ("D", "EH1", "T", "ER0", "Z"), "lexicon"),
    "sil": Word("sil", ("S", "IH1", "L"), "rules"),
}


@pytest.fixture
def utterance(tmp_path: Path) -> Make:
    def make(name: str, words: Sequence[Word], seconds: float = 2.0, speaker: str = "lj") -> AlignInput:
        path = tmp_path / "wavs" / f"{len(list(tmp_path.glob('wavs/*')))}.wav"
        path.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(len(name)).normal(0, 0.1, int(seconds * RATE))
        soundfile.write(path, noise, RATE, subtype="PCM_16")
        return AlignInput(name, lay_out(words, ["|"] * len(words)), path, speaker)

    return make


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "env" / "bin" / "mfa"
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STANDIN}" "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_export_gives_every_word_a_name_that_mfa_leaves_alone(tmp_path: Path, utterance: Make) -> None:
    inputs = [utterance("a", [*WORDS.values()]), utterance("b", [WORDS["us"], WORDS["were"]])]
    export = planned(inputs, tmp_path / "export")
    write_export(inputs, export, variants=True)
    assert export.words["us"] == "us" and export.words["were"] == "were" and export.words["forty-two"] == "fortytwo"
    assert export.words["sil"] != "sil"  # a reader would take it for silence
    names = list(export.words.values())
    assert len(set(names)) == len(WORDS) and all(name.isalpha() and name == name.lower() for name in names)
    lab = (tmp_path / "export/corpus/lj/b.lab").read_text(encoding="utf-8")
    assert lab == "us were\n"
    rows = [line.split("\t") for line in export.dictionary.read_text(encoding="utf-8").splitlines()]
    assert all(len(row) == 2 for row in rows) and rows == sorted(rows)
    assert sorted(phones for name, phones in rows if name == export.words["we're"]) == ["W AY1 ER0", "W IH1 R"]
    only_first = dictionary_rows(inputs, export.words, variants=False)
    assert len(only_first) == len(WORDS)


def test_export_writes_16_bit_mono_and_plain_file_names(tmp_path: Path, utterance: Make) -> None:
    same, stereo, flac = (utterance(name, [WORDS["us"]]) for name in ("LJ-1", "two words", "Ünder/1"))
    soundfile.write(stereo.audio_path, np.zeros((RATE, 2)), RATE, subtype="FLOAT")
    flac_path = flac.audio_path.with_suffix(".flac")
    soundfile.write(flac_path, np.zeros(RATE), RATE)
    inputs = [same, stereo, AlignInput(flac.id, flac.text_tokens, flac_path, "lj")]
    export = planned(inputs, tmp_path / "export")
    write_export(inputs, export, variants=True)
    assert export.files["LJ-1"] == "LJ-1"
    folder = tmp_path / "export/corpus/lj"
    assert (folder / "LJ-1.wav").is_symlink()
    for name in export.files.values():
        with wave.open(str(folder / f"{name}.wav")) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)


@pytest.mark.parametrize("version", ["2.0.0a22", "2.0.6", "2.2.17", "3.0.7", "3.3.8"])
@pytest.mark.parametrize("train", [False, True], ids=["align", "train"])
def test_every_version_gives_alignments_of_the_text(
    tmp_path: Path, utterance: Make, program: str, monkeypatch: pytest.MonkeyPatch, version: str, train: bool
) -> None:
    monkeypatch.setenv("STANDIN_MFA_VERSION", version)
    inputs = [utterance("a", [*WORDS.values()]), utterance("b b", [WORDS["us"], WORDS["were"], WORDS["US"]])]
    options = MfaOptions(executable=program, train=train)
    given = run_mfa(options, inputs, tmp_path / "work", 2, LOG)
    aligner = make_aligner(given)
    for each in inputs:
        samples = np.zeros(2 * RATE, np.float32)
        alignment = aligner.align(samples, RATE, each.text_tokens, utterance_id=each.id)
        assert [word.label for word in alignment.words] == [word.text for word in each.text_tokens.words]
        durations = token_durations(alignment, respelled(each.text_tokens, alignment), 172, 256 / RATE)
        assert durations.sum() == 172
        # The stand-in pauses for a twentieth at both ends and after the second word: 100 ms are 8.6 frames.
        places = np.flatnonzero(np.asarray(each.text_tokens.word_index) < 0)
        assert abs(durations[places[[0, 2]]] - 8.6).max() < 1
        assert alignment.duration_s == 2.0
    assert (tmp_path / "work/acoustic_model.zip").exists() == train


def test_words_and_times_come_from_the_program(tmp_path: Path, utterance: Make, program: str) -> None:
    one = utterance("a", [WORDS["us"], WORDS["were"]], 2.0)
    given = run_mfa(MfaOptions(executable=program), [one], tmp_path / "work", 1, LOG)
    found = make_aligner(given).align(np.zeros(2 * RATE, np.float32), RATE, one.text_tokens, utterance_id="a")
    # 2 s less two pauses of 0.1 s, over six letters; the last pause takes the third twentieth too.
    assert [round(word.start_s, 4) for word in found.words] == [0.1, round(0.1 + 2 * 1.7 / 6, 4)]
    assert [phone.label for phone in found.phones] == ["", "AH1", "S", "W", "ER1", ""]


def test_a_conda_environment_and_path_find_the_program(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Path(program).parent.parent
    assert find_program(MfaOptions(executable=str(environment))).path == Path(program)
    monkeypatch.setenv("PATH", f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}")
    found = find_program(MfaOptions())
    assert (found.path, found.version) == (Path(program), (3, 3, 8))


def test_missing_program_says_what_to_type(tmp_path: Path, utterance: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ResourceError, match=r"not found.*tools/install_mfa\.sh"):
        run_mfa(MfaOptions(), [utterance("a", [WORDS["us"]])], tmp_path / "work", 1, LOG)
    with pytest.raises(ResourceError, match=r"not found"):
        find_program(MfaOptions(executable=str(tmp_path)))


def test_program_that_does_not_start(program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STANDIN_MFA_MODE", "kalpy")
    with pytest.raises(ResourceError, match=r"_kalpy.*pip installation lacks Kaldi"):
        find_program(MfaOptions(executable=program))
    monkeypatch.setenv("STANDIN_MFA_MODE", "old")
    with pytest.raises(ResourceError, match="invalid choice"):
        find_program(MfaOptions(executable=program))
    broken = tmp_path / "broken"
    broken.write_text("no program", encoding="utf-8")
    broken.chmod(0o755)
    with pytest.raises(ResourceError, match="does not start"):
        find_program(MfaOptions(executable=str(broken)))


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.3.8", (3, 3, 8)), ("2.0.0rc3", (1, 9, 9)), ("2.1", (2, 1, 0)), ("3.0.0", (3, 0, 0)), ("None", (99, 0, 0))],
)
def test_versions(program: str, monkeypatch: pytest.MonkeyPatch, text: str, version: tuple[int, int, int]) -> None:
    monkeypatch.setenv("STANDIN_MFA_VERSION", text if text != "None" else "")
    assert find_program(MfaOptions(executable=program)).version == version


def test_command_lines() -> None:
    """Against the options of the program's own sources: 2.0.0, 2.1.0, 3.0.0 and 3.3.8."""
    job = Job(*(Path(f"/{name}") for name in ("corpus", "dict", "out", "tmp", "model.zip")))

    def line(version: tuple[int, int, int], **options: object) -> str:
        found = command_line(Program(Path("mfa"), version, ""), MfaOptions.model_validate(options), job, 4)
        return " ".join(found)

    common = "--clean --num_jobs 4 --temporary_directory /tmp --overwrite --output_format long_textgrid"
    model = "english_us_arpa"
    assert line((1, 9, 9)) == f"mfa align /corpus /dict {model} /out --clean --num_jobs 4 --temp_directory /tmp"
    assert line((2, 0, 6)) == f"mfa align /corpus /dict {model} /out {common} --disable_textgrid_cleanup"
    assert line((3, 0, 0)) == f"mfa align /corpus /dict {model} /out {common} --no_textgrid_cleanup"
    assert line((3, 3, 8)).endswith("--no_textgrid_cleanup --no_tokenization")
    assert "--single_speaker" in line((3, 3, 8), speaker_adaptation=False)
    assert "--config_path /beam.yaml" in line((3, 3, 8), config="/beam.yaml")
    assert line((2, 0, 6), train=True).startswith("mfa train /corpus /dict /model.zip /out --clean")
    assert line((3, 3, 8), train=True).startswith("mfa train /corpus /dict /model.zip --output_directory /out --clean")


def test_ipa_model_is_refused_in_the_config() -> None:
    assert [path for path, _ in MfaOptions(acoustic_model="english_mfa").problems()] == ["acoustic_model"]
    assert not list(MfaOptions(acoustic_model="english_mfa", train=True).problems())


def test_failure_shows_what_the_program_said(
    tmp_path: Path, utterance: Make, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN_MFA_MODE", "fail")
    with pytest.raises(StageError, match=r"mfa\.log: MFA failed with exit code 1: ERROR The acoustic model could not"):
        run_mfa(MfaOptions(executable=program), [utterance("a", [WORDS["us"]])], tmp_path / "work", 1, LOG)


def test_end_without_output_is_an_error(
    tmp_path: Path, utterance: Make, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN_MFA_MODE", "empty")
    with pytest.raises(DataError, match=r"ended without an error and wrote no TextGrid: .*lack of features"):
        run_mfa(MfaOptions(executable=program), [utterance("a", [WORDS["us"]])], tmp_path / "work", 1, LOG)


def test_hanging_program_is_ended_with_its_children(
    tmp_path: Path, utterance: Make, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN_MFA_MODE", "hang")
    monkeypatch.setenv("STANDIN_MFA_PIDS", str(tmp_path / "pids"))
    options = MfaOptions(executable=program, timeout_h=1.5 / 3600)
    with pytest.raises(StageError, match=r"took too long: .*Generating MFCCs"):
        run_mfa(options, [utterance("a", [WORDS["us"]])], tmp_path / "work", 1, LOG)
    pids = (tmp_path / "pids").read_text(encoding="utf-8").split()
    deadline = time.monotonic() + 5
    while any(_runs(int(pid)) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if _runs(int(pid))] == []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_missing_files_fail_one_by_one_with_the_programs_reason(
    tmp_path: Path, utterance: Make, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN_MFA_MODE", "some")
    inputs = [utterance(name, [WORDS["us"]]) for name in "abcd"]
    aligner = make_aligner(run_mfa(MfaOptions(executable=program), inputs, tmp_path / "work", 1, LOG))
    samples = np.zeros(2 * RATE, np.float32)
    done = {}
    for each in inputs:
        try:
            done[each.id] = aligner.align(samples, RATE, each.text_tokens, utterance_id=each.id)
        except DataError as error:
            done[each.id] = error
    assert [name for name in "abcd" if isinstance(done[name], Alignment)] == ["a", "b", "d"]
    assert str(done["c"]) == "c: MFA did not align it: Beam too narrow"


def test_tiers_named_by_speaker(tmp_path: Path, utterance: Make, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANDIN_MFA_SPEAKER", "1")
    one = utterance("a", [WORDS["us"]])
    given = run_mfa(MfaOptions(executable=program), [one], tmp_path / "work", 1, LOG)
    found = make_aligner(given).align(np.zeros(2 * RATE, np.float32), RATE, one.text_tokens, utterance_id="a")
    assert [word.label for word in found.words] == ["us"]


def test_what_is_complete_is_not_done_again(
    tmp_path: Path, utterance: Make, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    monkeypatch.setenv("STANDIN_MFA_CALLS", str(calls))
    one, work = utterance("a", [WORDS["us"]]), tmp_path / "work"

    def runs(inputs: Sequence[AlignInput], **options: object) -> int:
        run_mfa(MfaOptions.model_validate({"executable": program} | options), inputs, work, 1, LOG)
        return len(calls.read_text(encoding="utf-8").splitlines())

    assert runs([one]) == 1
    exported = (work / "export/lexicon.dict").stat().st_mtime_ns
    assert runs([one]) == 1
    # Another model: the export stays, the program runs.
    assert runs([one], acoustic_model="mine.zip") == 2
    assert (work / "export/lexicon.dict").stat().st_mtime_ns == exported
    # The first result is gone by now, and so it is not taken for one that is there.
    assert runs([one]) == 3
    # Another pronunciation: all is done again.
    other = AlignInput("a", lay_out([Word("us", ("Y", "UW1"), "user")], ["|"]), one.audio_path, "lj")
    assert runs([other]) == 4
    assert "us\tY UW1" in (work / "export/lexicon.dict").read_text(encoding="utf-8")
    # A failed run leaves no result behind, but the next one can use the export.
    monkeypatch.setenv("STANDIN_MFA_MODE", "fail")
    with pytest.raises(StageError):
        runs([other], train=True)
    monkeypatch.setenv("STANDIN_MFA_MODE", "")
    assert runs([other], train=True) == 5


def test_recording_that_is_missing_and_empty_corpus(tmp_path: Path, utterance: Make, program: str) -> None:
    one = utterance("a", [WORDS["us"]])
    one.audio_path.unlink()
    with pytest.raises(DataError, match="Cannot read the recording"):
        run_mfa(MfaOptions(executable=program), [one], tmp_path / "work", 1, LOG)
    with pytest.raises(DataError, match="nothing to align"):
        run_mfa(MfaOptions(executable=program), [], tmp_path / "work", 1, LOG)


def test_unknown_options_are_refused_by_the_stand_in(program: str) -> None:
    import subprocess

    code = subprocess.run([program, "align", "a", "b", "c", "d", "--no_such_option"], capture_output=True).returncode
    assert code == 2


def test_last_lines_without_boxes_and_colours() -> None:
    said = "\x1b[31mERROR\x1b[0m\n╭── Error ──╮\n│ No such model │\n╰───╯\n\n 10%\r 100%\n"
    assert last_lines(said, 3) == "No such model / 10% / 100%"


def test_the_real_program(tmp_path: Path, utterance: Make) -> None:
    """Runs where MFA and its model english_us_arpa are installed."""
    if shutil.which("mfa") is None:
        pytest.skip("Montreal Forced Aligner is not installed (tools/install_mfa.sh)")
    from tests.align.conftest import FOX, speak

    samples, rate, starts = speak(" ".join(word for word, _ in FOX))
    words = [Word(text, tuple(phones.split()), "lexicon") for text, phones in FOX]
    path = tmp_path / "fox.wav"
    soundfile.write(path, samples, rate, subtype="PCM_16")
    one = AlignInput("fox", lay_out(words, ["|"] * len(words)), path, "espeak")
    given = run_mfa(MfaOptions(), [one], tmp_path / "work", 1, LOG)
    found = make_aligner(given).align(samples, rate, one.text_tokens, utterance_id="fox")
    assert np.abs(np.asarray([word.start_s for word in found.words]) - starts).mean() < 0.1
