"""Lists of texts: what is read, what is written, what is taken up again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechkd.errors import DataError, UsageError
from speechkd.synthesis import load_voice
from speechkd.synthesis.batch import read_items, run_batch
from speechkd.synthesis.controls import Controls
from tests.synthesis.tiny import pack_kind


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("batch") / "tiny"
    pack_kind("fastspeech", path, onnx=True)
    return path


def listed(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_lines_rows_and_objects(tmp_path: Path) -> None:
    lines = read_items(listed(tmp_path / "a.txt", "\ufeffOne.\n\n" + "\n" * 8 + "Two.\n"), Controls())
    assert [(item.name, item.text, item.line) for item in lines] == [("01", "One.", 1), ("11", "Two.", 11)]
    rows = read_items(listed(tmp_path / "a.csv", 'id,text,speed\nx,"Yes, no.",1.5\n,Two.,\n'), Controls(pitch=1.0))
    assert [(item.name, item.text) for item in rows] == [("x", "Yes, no."), ("3", "Two.")]
    assert rows[0].controls == Controls(speed=1.5, pitch=1.0) and rows[1].controls == Controls(pitch=1.0)
    objects = read_items(listed(tmp_path / "a.jsonl", '{"ssml": "<speak>a</speak>", "seed": 3, "id": 7}\n'), Controls())
    assert (objects[0].name, objects[0].ssml, objects[0].controls.seed) == ("7", True, 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,colour\nhi,red\n", r"a\.csv:2.*unknown column 'colour'"),
        ("a.csv", "id,text\nx,\n", r"a\.csv:2.*no text"),
        ("a.csv", "id,text\n../x,hi\n", r"a\.csv:2.*cannot be a file's name"),
        ("a.csv", "id,text\nx,hi\nX,ho\n", r"a\.csv:3.*'X' is there twice.*line 2"),
        ("a.csv", "text,speed\nhi,9\n", r"a\.csv:2.*speed is 9"),
        ("a.csv", "text,speed\nhi,fast\n", r"a\.csv:2.*speed is 'fast', which is no number"),
        ("a.csv", 'text\n"hi\n', r"a\.csv:\d.*no CSV"),
        ("a.jsonl", "{}\n", r"a\.jsonl:1.*no text"),
        ("a.jsonl", '{"text": "a"}\n[1]\n', r"a\.jsonl:2.*no JSON object"),
        ("a.jsonl", "nope\n", r"a\.jsonl:1.*no JSON"),
        ("a.jsonl", '{"text": 3}\n', r"a\.jsonl:1.*no text"),
        ("a.jsonl", '{"text": "a", "ssml": "b"}\n', r"a\.jsonl:1.*no text"),
        ("a.txt", "\n \n", r"a\.txt.*the list is empty"),
    ],
)
def test_what_is_wrong_with_a_list_is_told_by_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_items(listed(tmp_path / name, content), Controls())


def test_other_files_are_no_lists(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no list of texts"):
        read_items(listed(tmp_path / "a.md", "hi"), Controls())
    with pytest.raises(DataError, match="cannot be read"):
        read_items(tmp_path / "b.txt", Controls())


def test_files_hold_what_the_voice_says_and_are_made_once(tmp_path: Path, voice: Path) -> None:
    items = read_items(listed(tmp_path / "a.csv", "id,text,speed\nyes,Yes.,1\nno,No it is not.,2\n"), Controls())
    out = tmp_path / "out"
    outcomes = run_batch(items, voice, out, format_name="flac")
    assert [(each.name, each.problem, each.skipped) for each in outcomes] == [("yes", None, False), ("no", None, False)]
    spoken = load_voice(voice, threads=1).synthesize("No it is not.", speed=2.0)
    samples, _ = soundfile.read(out / "no.flac", dtype="float32")
    np.testing.assert_allclose(samples, spoken.samples, atol=1 / 32000)
    assert outcomes[1].speech_s == pytest.approx(spoken.duration_s)
    before = (out / "no.flac").stat().st_mtime_ns
    assert all(each.skipped for each in run_batch(items, voice, out, format_name="flac"))
    assert (out / "no.flac").stat().st_mtime_ns == before
    # A line that a kill cut off, a file that is gone, a text that changed: only these are made again.
    (out / "yes.flac").unlink()
    with (out / "done.jsonl").open("a") as file:
        file.write('\n{"name": "no", "dig')
    again = run_batch(items, voice, out, format_name="flac")
    assert [each.skipped for each in again] == [False, True]
    changed = read_items(listed(tmp_path / "b.csv", "id,text,speed\nyes,Yes!,1\nno,No it is not.,2\n"), Controls())
    assert [each.skipped for each in run_batch(changed, voice, out, format_name="flac")] == [False, True]
    assert sorted(path.name for path in out.iterdir()) == ["done.jsonl", "no.flac", "yes.flac"]


def test_one_wrong_text_does_not_stop_the_others(tmp_path: Path, voice: Path) -> None:
    items = read_items(listed(tmp_path / "a.txt", "Yes.\n...\nNo.\n"), Controls())
    told: list[str] = []
    outcomes = run_batch(items, voice, tmp_path / "out", told=lambda outcome: told.append(outcome.name))
    assert [each.problem is None for each in outcomes] == [True, False, True]
    assert "nothing to speak" in (outcomes[1].problem or "") and told == ["1", "2", "3"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.wav", "3.wav", "done.jsonl"]
    assert len((tmp_path / "out" / "done.jsonl").read_text().splitlines()) == 2
    assert all(json.loads(line)["digest"] for line in (tmp_path / "out" / "done.jsonl").read_text().splitlines())


def test_several_processes_make_the_same_files(tmp_path: Path, voice: Path) -> None:
    items = read_items(listed(tmp_path / "a.txt", "Yes.\nNo.\n"), Controls())
    for jobs in (1, 2):
        run_batch(items, voice, tmp_path / str(jobs), jobs=jobs)
    for name in ("1.wav", "2.wav"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    with pytest.raises(UsageError, match="no format 'doc'"):
        run_batch(items, voice, tmp_path / "3", format_name="doc")
