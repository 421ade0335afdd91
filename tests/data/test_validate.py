"""Every kind of broken recording and transcript: found, with its id and place, in one pass, and nothing else."""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from recipes.tts.common.corpora import read_ljspeech
from speechkd.data.audiofacts import inspect_audio
from speechkd.data.corpus import Problem, Severity
from speechkd.data.report import sort_problems
from speechkd.data.validate import Limits, Report, validate_corpus
from speechkd.errors import DataError

RATE = 22050
GOOD = (0.3 * np.sin(2 * np.pi * 333 * np.arange(RATE) / RATE)).astype(np.float32)


def validate(folder: Path) -> Report:
    return validate_corpus(read_ljspeech(folder))


def kinds(report: Report, identifier: str | None = None) -> set[tuple[str, str]]:
    return {(str(p.severity), p.kind) for p in report.problems if identifier in (None, p.id)}


def wav(samples: Any, subtype: str = "PCM_16", rate: int = RATE, **more: Any) -> Callable[[Path], None]:
    return lambda path: soundfile.write(path, samples, rate, subtype=subtype, format="WAV", **more)


def raw(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data) and None


def patched(offset: int, value: int, size: int = 4) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        wav(GOOD)(path)
        data = bytearray(path.read_bytes())
        data[offset : offset + size] = value.to_bytes(size, "little")
        path.write_bytes(data)

    return write


def cut(keep: float, suffix: str = "WAV") -> Callable[[Path], None]:
    def write(path: Path) -> None:
        soundfile.write(path, GOOD, RATE, format=suffix)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])

    return write


def append(path: Path, data: bytes = bytes(range(100))) -> None:
    with path.open("ab") as file:
        file.write(data)


def nan_at(index: int, value: float) -> Callable[[Path], None]:
    samples = GOOD.copy()
    samples[index] = value
    return wav(samples, "FLOAT")


def clipped() -> Any:
    return np.clip(GOOD * 10, -1, 1)


BROKEN: dict[str, tuple[Callable[[Path], None], set[tuple[str, str]]]] = {
    "zero_bytes": (raw(b""), {("error", "empty_file")}),
    "one_byte": (raw(b"R"), {("error", "undecodable")}),
    "riff_only": (raw(b"RIFF\x24\0\0\0WAVE"), {("error", "wrong_length")}),
    "text": (raw(b"this is no audio at all, but long enough to look at\n" * 9), {("error", "undecodable")}),
    "html": (raw(b"<!DOCTYPE html><html>404</html>" * 50), {("error", "undecodable")}),
    "mp3_junk": (raw(b"ID3\x04" + bytes(range(256)) * 9), {("error", "undecodable")}),
    "header_only": (wav(GOOD[:0]), {("error", "no_samples")}),
    "promises_more": (patched(40, 10**6), {("error", "wrong_length")}),
    "promises_huge": (patched(40, 2**31 - 1), {("error", "wrong_length")}),
    "promises_all_ones": (patched(40, 2**32 - 1), {("error", "wrong_length")}),
    "half": (cut(0.5), {("error", "wrong_length")}),
    "header_cut": (cut(0.0005), {("error", "wrong_length")}),
    "chunk_lies": (patched(16, 10**8), {("error", "wrong_length")}),
    "zero_channels": (patched(22, 0, 2), {("error", "undecodable")}),
    "zero_hz": (patched(24, 0), {("error", "undecodable")}),
    "unknown_codec": (patched(20, 0x1234, 2), {("error", "undecodable")}),
    "nan": (nan_at(500, np.nan), {("error", "not_finite")}),
    "inf": (nan_at(RATE - 1, np.inf), {("error", "not_finite")}),
    "loud_float": (wav(GOOD * 30, "FLOAT"), {("error", "over_full_scale")}),
    "silent": (wav(GOOD * 0), {("error", "silent")}),
    "nearly_silent": (wav(GOOD * 1e-3), {("error", "silent")}),
    "one_sample": (wav(GOOD[:1] + 0.1), {("error", "too_short")}),
    "short": (wav(GOOD[:2000]), {("error", "too_short")}),
    "long": (wav(np.tile(GOOD, 31)), {("error", "too_long")}),
    "clipped": (wav(clipped()), {("warning", "clipped")}),
    "dc": (wav(GOOD + 0.2), {("warning", "dc_offset")}),
    "quiet": (wav(GOOD * 0.02), {("warning", "quiet")}),
    "stereo": (wav(np.stack([GOOD, GOOD * 0.5], 1)), {("warning", "channel_mix")}),
    "eight_channels": (wav(np.stack([GOOD] * 8, 1)), {("warning", "channel_mix")}),
    "8_khz": (wav(GOOD, rate=8000), {("warning", "low_sample_rate")}),
    "48_khz": (wav(GOOD, rate=48000), {("warning", "sample_rate_mix")}),
    "24_bit": (wav(GOOD, "PCM_24"), set()),
    "32_bit": (wav(GOOD, "PCM_32"), set()),
    "double": (wav(GOOD, "DOUBLE"), set()),
    "unsigned_8_bit": (wav(GOOD, "PCM_U8"), set()),
    "a_law": (wav(GOOD, "ALAW"), set()),
    "mu_law": (wav(GOOD, "ULAW"), set()),
    "big_endian": (wav(GOOD, endian="BIG"), set()),
    "rf64": (lambda path: soundfile.write(path, GOOD, RATE, format="RF64"), set()),
    "flac_called_wav": (lambda path: soundfile.write(path, GOOD, RATE, format="FLAC"), {("warning", "wrong_suffix")}),
    "mp3_called_wav": (lambda path: soundfile.write(path, GOOD, RATE, format="MP3"), {("error", "wrong_suffix")}),
    "ogg_called_wav": (lambda path: soundfile.write(path, GOOD, RATE, format="OGG"), {("error", "wrong_suffix")}),
    "bytes_after_the_end": (lambda path: wav(GOOD)(path) or append(path), {("warning", "trailing_data")}),
    "sound_chunk_after_the_end": (lambda path: wav(GOOD)(path) or append(path, b"LIST\4\0\0\0INFO"), set()),
    "promises_less": (patched(40, 10_000), {("error", "wrong_length")}),
    "promises_nothing": (patched(40, 0), {("error", "wrong_length")}),
    "silence_before": (wav(np.concatenate([np.zeros(RATE + 1000), GOOD])), {("warning", "leading_silence")}),
    "silence_after": (wav(np.concatenate([GOOD, np.zeros(2 * RATE)])), {("warning", "trailing_silence")}),
    "silence_inside": (wav(np.concatenate([GOOD, np.zeros(2 * RATE), GOOD])), {("warning", "inner_silence")}),
    "noise_inside": (wav(np.concatenate([GOOD, GOOD * 0.02, GOOD * 0.02, GOOD])), set()),
    "flac_cut": (cut(0.6, "FLAC"), {("error", "undecodable"), ("error", "wrong_length")}),
    "folder": (lambda path: path.mkdir(), {("error", "not_a_file")}),
    "pipe": (os.mkfifo, {("error", "not_a_file")}),
    "link_to_itself": (lambda path: path.symlink_to(path), {("error", "link_loop")}),
    "dangling_link": (lambda path: path.symlink_to("nowhere.wav"), {("error", "dangling_link")}),
    "nobody_may_read_it": (lambda path: wav(GOOD)(path) or path.chmod(0), {("error", "unreadable")}),
    "device": (lambda path: path.symlink_to("/dev/zero"), {("error", "not_a_file")}),
    "gone": (lambda path: None, {("error", "missing_recording")}),
}
# The decoder may report a cut FLAC file either way.
EITHER = {"flac_cut"}


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_of_a_recording_is_found_alone_and_quickly(make_corpus: Any, name: str) -> None:
    write, expected = BROKEN[name]
    folder = make_corpus(3)
    path = folder / "wavs" / "u002.wav"
    path.unlink()
    write(path)
    started = time.monotonic()
    report = validate(folder)
    assert time.monotonic() - started < 2
    found = kinds(report)
    assert found <= expected and len(found) == 1 if name in EITHER else found == expected
    for problem in report.errors:
        assert problem.id == "u002" and "u002" in problem.where + problem.what and problem.what and problem.todo
        assert not Path(problem.where).is_absolute() and str(folder) not in problem.what


TABLE: dict[str, tuple[bytes, str, str, str]] = {
    # line 2 of the table: (bytes, severity, kind, place)
    "one_column": (b"u001", "error", "column_count", ":2:1"),
    "four_columns": (b"u001|a|b|c", "error", "column_count", ":2:1"),
    "tabs": (b"u001\ttext", "error", "column_count", ":2:1"),
    "no_text": (b"u001|", "error", "empty_transcript", ":2:6"),
    "no_normalised_text": (b"u001|raw|  ", "error", "empty_transcript", ":2:10"),
    "only_signs": (b"u001|?! ...", "error", "no_words", ":2:6"),
    "no_id": (b"|text", "error", "empty_id", ":2:1"),
    "same_id": (b"u000|text", "error", "duplicate_id", ":2:1"),
    "path": (b"../u001|text", "error", "bad_id", ":2:1"),
    "backslash": (b"a\\u001|text", "error", "bad_id", ":2:1"),
    "nul": (b"u001|te\0xt", "error", "control_character", ":2:8"),
    "escape": (b"u001|te\x1b[31mxt", "error", "control_character", ":2:8"),
    "lone_return": (b"u001|te\rxt", "error", "control_character", ":2:8"),
    "override": ("u001|te\u202ext".encode(), "error", "control_character", ":2:8"),
    "inner_bom": ("u001|\ufefftext".encode(), "error", "control_character", ":2:6"),
    "replacement": ("u001|te\ufffdxt".encode(), "error", "control_character", ":2:8"),
    "latin1": ("u001|caf\xe9".encode("latin-1"), "error", "not_utf8", ":2:9"),
    "utf16": ("u001|text".encode("utf-16-le"), "error", "control_character", ":2:2"),
    "endless": (b"u001|" + b"word " * 20000, "error", "long_transcript", ":2:6"),
    "decomposed": ("u001|cafe\u0301".encode(), "warning", "not_nfc", ":2:6"),
    "blank": (b"", "warning", "blank_line", ":2:1"),
    "tab_inside": (b"u001|oak\ttree", "warning", "tab", ":2:6"),
    "windows_end": (b"u001|oak tree\r", "warning", "crlf", ":2:1"),
    "emoji": ("u001|oak 🎉 tree".encode(), "warning", "emoji", ":2"),
    "right_to_left": ("u001|oak שלום".encode(), "warning", "right_to_left", ":2"),
    "two_scripts": ("u001|oаk tree".encode(), "warning", "mixed_scripts", ":2"),
    "another_script": ("u001|oak дерево".encode(), "warning", "foreign_script", ":2"),
    "sign": ("u001|oak © tree".encode(), "warning", "unknown_character", ":2"),
}


@pytest.mark.parametrize("name", TABLE)
def test_each_fault_of_a_line_is_found_with_file_line_and_column(make_corpus: Any, name: str) -> None:
    line, severity, kind, place = TABLE[name]
    folder = make_corpus(3)
    lines = (folder / "metadata.csv").read_bytes().splitlines()
    lines[1] = line
    (folder / "metadata.csv").write_bytes(b"\n".join(lines) + b"\n")
    report = validate(folder)
    found = [p for p in report.problems if p.kind not in ("no_transcript", "column_mix")]
    assert [(str(p.severity), p.kind, p.where) for p in found] == [(severity, kind, f"metadata.csv{place}")]


def test_windows_line_ends_and_a_byte_order_mark_are_read(make_corpus: Any) -> None:
    folder = make_corpus(3)
    table = folder / "metadata.csv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    corpus = read_ljspeech(folder)
    assert [u.id for u in corpus.utterances] == ["u000", "u001", "u002"]
    assert corpus.utterances[0].text == "alder alder tree"
    assert [(p.severity, p.kind, p.where) for p in corpus.problems] == [
        (Severity.WARNING, "bom", "metadata.csv:1:1"),
        (Severity.WARNING, "crlf", "metadata.csv:1:1"),
    ]


def test_third_column_is_the_text(make_corpus: Any) -> None:
    folder = make_corpus(1)
    (folder / "metadata.csv").write_text("u000|No. 5|number five\n", encoding="utf-8")
    (utterance,) = read_ljspeech(folder).utterances
    assert (utterance.id, utterance.text, utterance.line) == ("u000", "number five", 1)
    assert utterance.audio_path == folder / "wavs" / "u000.wav"


def test_whole_corpus_findings(make_corpus: Any) -> None:
    folder = make_corpus(40)
    (folder / "wavs" / "extra.wav").write_bytes((folder / "wavs" / "u000.wav").read_bytes())
    (folder / "wavs" / "u004.wav").write_bytes((folder / "wavs" / "u002.wav").read_bytes())
    soundfile.write(folder / "wavs" / "u006.flac", GOOD, RATE)
    os.link(folder / "wavs" / "u000.wav", os.fsencode(folder / "wavs") + b"/bad\xff.wav")
    text = (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()
    text[10] = "u010|" + "far too many words for a recording of one second " * 5
    text[20] = "u020|Alder, alder TREE!"
    (folder / "metadata.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    report = validate(folder)
    assert {(str(p.severity), p.kind, p.id) for p in report.problems} == {
        ("error", "ambiguous_recording", "u006"),
        ("warning", "no_transcript", "extra"),
        ("warning", "no_transcript", "bad\\xff"),
        ("warning", "speaking_rate", "u010"),
        ("warning", "same_recording", "u002"),
        ("info", "same_text", "u000"),
    }
    assert all(str(p).isprintable() for p in report.problems)
    report.write_json(folder / "report.json")


def test_nothing_to_read(make_corpus: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No transcripts"):
        read_ljspeech(tmp_path)
    folder = make_corpus(0)
    assert kinds(validate(folder)) == {("error", "no_utterance")}
    (folder / "wavs").rmdir()
    with pytest.raises(DataError, match="No folder of recordings"):
        read_ljspeech(folder)


def test_sound_corpus_has_no_problem_and_report_has_fixed_bytes(make_corpus: Any, tmp_path: Path) -> None:
    folder = make_corpus(24)
    report = validate(folder)
    assert report.problems == ()
    report.raise_errors()
    many = validate_corpus(read_ljspeech(folder), jobs=4)
    report.write_json(tmp_path / "a.json")
    many.write_json(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert str(tmp_path) not in (tmp_path / "a.json").read_text(encoding="utf-8")
    assert report.to_json()["duration_s"] == 24.0


def test_planted_faults_are_all_found_and_nothing_else(make_corpus: Any) -> None:
    """A fault in every second of 120 utterances, kinds at random: exactly the ids planted are reported as errors."""
    folder = make_corpus(120)
    rng = random.Random(7)
    bad = {name: case for name, case in BROKEN.items() if any(s == "error" for s, _ in case[1]) and name != "long"}
    planted = set()
    for index in range(0, 120, 2):
        path = folder / "wavs" / f"u{index:03d}.wav"
        path.unlink()
        bad[rng.choice(sorted(bad))][0](path)
        planted.add(f"u{index:03d}")
    report = validate(folder)
    assert {p.id for p in report.errors} == planted
    with pytest.raises(DataError) as caught:
        report.raise_errors()
    assert f"{len(planted)} errors" in str(caught.value)
    assert str(report.errors[0]).removeprefix("error: ").rstrip(".") in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_random_bytes_give_only_problems(make_corpus: Any) -> None:
    folder = make_corpus(2)
    rng = random.Random(3)
    path = folder / "wavs" / "u000.wav"
    sound = path.read_bytes()
    for _ in range(150):
        data = bytearray(sound)
        for _ in range(rng.randrange(1, 9)):
            data[rng.randrange(64)] = rng.randrange(256)
        path.write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        assert validate(folder).utterances == 2
        (folder / "metadata.csv").write_bytes(rng.randbytes(200))
        assert validate(folder).errors
        (folder / "metadata.csv").write_bytes(b"u000|alder\nu001|birch\n")


def test_header_field_offsets_are_those_of_wav(tmp_path: Path) -> None:
    """The patches above hit what they mean to hit."""
    wav(GOOD)(tmp_path / "a.wav")
    head = (tmp_path / "a.wav").read_bytes()[:44]
    codec, channels, rate = struct.unpack("<HHI", head[20:28])
    assert (codec, channels, rate, head[36:40], struct.unpack("<I", head[40:44])[0]) == (1, 1, RATE, b"data", 2 * RATE)


def test_normalised_texts_have_no_digits(make_corpus: Any) -> None:
    folder = make_corpus(3)
    table = folder / "metadata.csv"
    table.write_text("u000|No. 5|number five\nu001|5 oaks|5 oaks\nu002|elm|elm\n", encoding="utf-8")
    assert kinds(validate(folder)) == {("warning", "digits")}
    table.write_text("u000|number 5\nu001|5 oaks\nu002|elm\n", encoding="utf-8")
    assert kinds(validate(folder)) == set()


def test_another_script_than_latin_is_nothing_strange(make_corpus: Any) -> None:
    folder = make_corpus(3)
    (folder / "metadata.csv").write_text("u000|Привет мир\nu001|שלום\nu002|большой дом, ёлка\n", encoding="utf-8")
    assert {(p.kind, p.id) for p in validate(folder).problems} == {("right_to_left", "u001")}


def test_names_that_differ_in_case_or_accents_are_pointed_at(make_corpus: Any) -> None:
    folder = make_corpus(2)
    (folder / "wavs" / "u000.wav").rename(folder / "wavs" / "U000.wav")
    (problem,) = validate(folder).problems
    assert (problem.kind, problem.id) == ("missing_recording", "u000") and "'U000'" in problem.todo


def test_level_is_judged_among_the_recordings_of_a_speaker(make_corpus: Any) -> None:
    folder = make_corpus(45)
    quiet = {f"u{i:03d}" for i in range(0, 44, 2)}
    for name in (*quiet, "u001"):
        path = folder / "wavs" / f"{name}{'.flac' if name == 'u001' else '.wav'}"
        samples, rate = soundfile.read(path)
        soundfile.write(path, samples * 0.08, rate)
    corpus = read_ljspeech(folder)
    told_apart = replace(
        corpus,
        utterances=tuple(replace(u, speaker="whisper" if u.id in quiet else "voice") for u in corpus.utterances),
    )
    assert {(p.kind, p.id) for p in validate_corpus(told_apart).problems} == {("level", "u001")}


def test_ten_thousand_problems_stay_readable() -> None:
    problems = [
        Problem(Severity.ERROR, "missing_recording", f"u{i}", f"metadata.csv:{i}:1", "no", "Add it.")
        for i in range(10**4)
    ]
    problems += [
        Problem(Severity.WARNING, "tab", f"u{i}", f"metadata.csv:{i}:1", "has a tab", "Write a space.")
        for i in range(3)
    ]
    text = Report(Path("corpus"), sort_problems(reversed(problems)), {}).to_text(max_lines=40)
    lines = text.splitlines()
    assert len(lines) <= 41 and lines[0] == "missing_recording: 10000 errors. Add it."
    assert lines[1] == "  error: metadata.csv:0:1 (u0): no" and "and 9981 more" in text
    assert "tab: 3 warnings. Write a space." in lines and text.count("has a tab") == 3


def test_a_recording_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    wav(np.tile(GOOD, 9))(tmp_path / "a.wav")
    facts, faults = inspect_audio(tmp_path / "a.wav", Limits(max_decode_s=0.0))
    assert facts is None and [fault.kind for fault in faults] == ["too_slow"]


def test_measures_against_numpy(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    samples = np.concatenate([np.zeros(RATE // 2), rng.normal(0, 0.05, RATE * 4), np.zeros(RATE)])
    samples[RATE : RATE + RATE // 2] = 0
    wav(samples, "FLOAT")(tmp_path / "a.wav")
    facts, faults = inspect_audio(tmp_path / "a.wav", Limits())
    assert facts is not None and faults == []
    assert facts.frames == len(samples) and facts.dc == pytest.approx(samples.mean(), abs=1e-7)
    assert (facts.leading_s, facts.inner_s, facts.trailing_s) == pytest.approx((0.5, 0.5, 1.0), abs=0.021)
    spoken = samples[samples != 0]
    assert facts.level == pytest.approx(np.sqrt((spoken**2).mean()), rel=0.01)
    assert facts.peak == pytest.approx(np.abs(samples).max(), rel=1e-6)


def test_order_of_the_lines_is_a_remark_only(make_corpus: Any) -> None:
    folder = make_corpus(3)
    lines = (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()
    (folder / "metadata.csv").write_text("\n".join(lines[::-1]) + "\n", encoding="utf-8")
    assert kinds(validate(folder)) == {("info", "unsorted")}
