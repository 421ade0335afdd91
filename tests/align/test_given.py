"""TextGrids that the user brings: taken when they fit the text, refused with both sequences when they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechkd.align import Alignment, GivenOptions, Interval, make_aligner, write_textgrid
from speechkd.errors import DataError

SAMPLES, RATE = np.zeros(22050, np.float32), 22050


def write(folder: Path, labels: str, duration_s: float = 1.0) -> None:
    names = labels.split()
    step = duration_s / len(names)
    phones = tuple(Interval(i * step, (i + 1) * step, name) for i, name in enumerate(names))
    write_textgrid(folder / "u1.TextGrid", Alignment((), phones, duration_s))


def test_stress_and_words_come_from_the_tokens(tmp_path: Path, make_tokens: Any) -> None:
    write(tmp_path, "sil AH sp B IY1 sil")
    aligner = make_aligner(GivenOptions(folder=tmp_path))
    alignment = aligner.align(SAMPLES, RATE, make_tokens([("a", "AH0"), ("bee", "B IY1")]), utterance_id="u1")
    assert [phone.label for phone in alignment.phones] == ["", "AH0", "", "B", "IY1", ""]
    assert [(w.label, round(w.start_s, 3), round(w.end_s, 3)) for w in alignment.words] == [
        ("a", 0.167, 0.333),
        ("bee", 0.5, 0.833),
    ]


def test_other_pronunciation_is_named_at_the_first_difference(tmp_path: Path, make_tokens: Any) -> None:
    write(tmp_path, "AH B EH1")
    with pytest.raises(DataError, match=r"u1\.TextGrid.*phone 3.*AH B \[EH1\].*AH0 B \[IY1\]"):
        make_aligner(GivenOptions(folder=tmp_path)).align(
            SAMPLES, RATE, make_tokens([("a", "AH0"), ("bee", "B IY1")]), utterance_id="u1"
        )


@pytest.mark.parametrize(
    ("labels", "duration_s", "message"),
    [("AH spn", 1.0, "spn"), ("AH B IY", 1.2, "another recording"), ("AH B IY K", 1.0, r"\[K\].*\[end\]")],
)
def test_unfit_textgrids(tmp_path: Path, make_tokens: Any, labels: str, duration_s: float, message: str) -> None:
    write(tmp_path, labels, duration_s)
    with pytest.raises(DataError, match=message):
        make_aligner(GivenOptions(folder=tmp_path)).align(
            SAMPLES, RATE, make_tokens([("abie", "AH0 B IY1")]), utterance_id="u1"
        )


def test_missing_textgrid(tmp_path: Path, make_tokens: Any) -> None:
    with pytest.raises(DataError, match="not found"):
        make_aligner(GivenOptions(folder=tmp_path)).align(SAMPLES, RATE, make_tokens([("a", "AH0")]), utterance_id="u9")


def test_all_mfa_textgrids_are_readable(shared_data: Any) -> None:
    from speechkd.align import read_textgrid

    paths = sorted(shared_data("data/speech/ljspeech300/TextGrid").glob("*.TextGrid"))
    alignments = [read_textgrid(path) for path in paths]
    assert len(alignments) == 300
    assert not {"sp", "sil"} & {phone.label for alignment in alignments for phone in alignment.phones}
