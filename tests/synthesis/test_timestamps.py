"""Times as files, piece by piece, read back by readers of their own."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from speechkd.align import read_textgrid
from speechkd.errors import UsageError
from speechkd.synthesis.speech import Speech, Timed, join
from speechkd.synthesis.timestamps import CAPTION_S, LINE_CHARS, check_times_path, with_times

RATE = 1000


def piece(*words: str, pause_s: float = 0.2) -> Speech:
    """Words of 0.3 s, each of two phones, with a mark at the first; then a pause."""
    timed = tuple(Timed(word, 0.3 * i, 0.3 * (i + 1)) for i, word in enumerate(words))
    phones = [Timed(f"P{k}", 0.3 * i + 0.15 * k, 0.3 * i + 0.15 * (k + 1)) for i in range(len(words)) for k in (0, 1)]
    end_s = 0.3 * len(words)
    phones += [Timed("", end_s, end_s + pause_s)] if pause_s else []
    marks = (Timed("here", 0.0, 0.0),) if words else ()
    return Speech(np.zeros(round((end_s + pause_s) * RATE), np.float32), RATE, timed, tuple(phones), marks)


PIECES = [piece("hello", "dear", "friends"), piece("and", 'so "on"', pause_s=0.0), piece(pause_s=0.5), piece("end")]


def written(path: Path, pieces: list[Speech]) -> str:
    assert list(with_times(iter(pieces), path)) == pieces
    return path.read_text(encoding="utf-8")


def test_json_is_the_document_of_the_whole(tmp_path: Path) -> None:
    found = json.loads(written(tmp_path / "a.json", PIECES))
    expected = join(PIECES).times()
    assert found.keys() == expected.keys()
    assert found["duration_s"] == pytest.approx(expected["duration_s"])
    for name in ("words", "phones", "marks"):
        assert len(found[name]) == len(expected[name])
        for one, two in zip(found[name], expected[name], strict=True):
            assert one == pytest.approx(two, abs=2e-4) if "text" not in one else one["text"] == two["text"]


def test_textgrids_are_read_as_alignments(tmp_path: Path) -> None:
    written(tmp_path / "a.TextGrid", PIECES)
    found, whole = read_textgrid(tmp_path / "a.TextGrid"), join(PIECES)
    assert found.duration_s == pytest.approx(whole.duration_s)
    assert [word.label for word in found.words] == [word.text for word in whole.words]
    assert [word.start_s for word in found.words] == pytest.approx([word.start_s for word in whole.words])
    spoken = [phone for phone in found.phones if phone.label]
    assert [phone.end_s for phone in spoken] == pytest.approx([phone.end_s for phone in whole.phones if phone.text])


CUE = re.compile(r"(\d\d):(\d\d):(\d\d)[,.](\d{3}) --> (\d\d):(\d\d):(\d\d)[,.](\d{3})\n((?:.+\n)+)")


def cues(text: str) -> list[tuple[float, float, list[str]]]:
    def seconds(parts: tuple[str, ...]) -> float:
        hours, minutes, whole, thousandths = map(int, parts)
        return hours * 3600 + minutes * 60 + whole + thousandths / 1000

    found = CUE.findall(text)
    return [(seconds(each[:4]), seconds(each[4:8]), each[8].strip().split("\n")) for each in found]


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_captions_hold_all_words_and_are_short(tmp_path: Path, suffix: str) -> None:
    long = [piece(*(f"word{i}" for i in range(60)), pause_s=0.0), *PIECES]
    text = written(tmp_path / f"a{suffix}", long)
    assert text.startswith("WEBVTT\n\n" if suffix == ".vtt" else "1\n00:00:00,000 --> ")
    found = cues(text)
    assert " ".join(line for _, _, lines in found for line in lines).split() == [
        each for word in join(long).words for each in word.text.split()
    ]
    for start, end, lines in found:
        assert 0 <= end - start <= CAPTION_S and len(lines) <= 2 and max(map(len, lines)) <= LINE_CHARS
    assert all(after[0] >= before[1] for before, after in pairwise(found))
    # The words before a pause and those behind it are never in one.
    assert [lines for _, _, lines in found if "end" in lines] == [["end"]]


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    coming = with_times(iter(PIECES), tmp_path / "a.srt")
    next(coming)
    coming.close()
    assert list(tmp_path.iterdir()) == []


def test_hours_are_told_and_suffixes_checked(tmp_path: Path) -> None:
    silent = Speech(np.zeros(RATE * 3700, np.float32), RATE, (), (Timed("", 0.0, 3700.0),))
    assert "01:01:40.000 --> 01:01:40.300\nlate" in written(tmp_path / "a.vtt", [silent, piece("late")])
    with pytest.raises(UsageError, match=r"\.json, \.srt, \.vtt, \.textgrid"):
        check_times_path(Path("a.txt"))
