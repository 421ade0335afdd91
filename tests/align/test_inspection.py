"""Looking over alignments: figures that can be counted by hand, and a planted mistake that must be found."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.align.inspection import inspect_alignments
from speechkd.align.textgrid import write_textgrid
from speechkd.align.types import Alignment, Interval
from speechkd.errors import DataError


def _grid(lengths_s: list[float], pause_s: float) -> Alignment:
    """Silence of 0.1 s, the word "ab" of two phones, a pause, the word "ba", silence of 0.2 s."""
    labels = ["", "AE1", "B", "", "B", "AH0", ""]
    spans = [0.1, *lengths_s[:2], pause_s, *lengths_s[2:], 0.2]
    ends = np.cumsum(spans).tolist()
    phones = tuple(Interval(end - span, end, label) for span, end, label in zip(spans, ends, labels, strict=True))
    words = (
        Interval(phones[1].start_s, phones[2].end_s, "ab"),
        Interval(phones[4].start_s, phones[5].end_s, "ba"),
    )
    return Alignment(words, phones, ends[-1])


@pytest.fixture
def folder(tmp_path):
    for number in range(20):
        write_textgrid(tmp_path / f"u{number:02d}.TextGrid", _grid([0.1, 0.05, 0.05, 0.1], 0.3))
    write_textgrid(tmp_path / "u20.TextGrid", _grid([0.1, 0.05, 0.05, 1.5], 0.9))
    return tmp_path


def test_pauses_are_counted_by_place(folder):
    found = inspect_alignments(folder)
    assert (found.utterances, found.before.count, found.between.count, found.after.count) == (21, 21, 21, 21)
    assert found.between.median_s == pytest.approx(0.3)
    assert (found.between.longest_s, found.between.longest_id) == (pytest.approx(0.9), "u20")
    assert found.between.total_s == pytest.approx(20 * 0.3 + 0.9)
    assert found.after.median_s == pytest.approx(0.2)
    assert found.phones_per_second == pytest.approx(21 * 4 / (20 * 0.3 + 1.7))


def test_the_drawled_phone_is_the_strangest(folder):
    strangest = inspect_alignments(folder).strangest
    assert len(strangest) == 21
    first = strangest[0]
    assert (first.id, first.phone, first.word) == ("u20", "AH0", "ba")
    assert first.end_s - first.start_s == pytest.approx(1.5)
    assert first.deviations > 3 * strangest[1].deviations


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(DataError, match="No TextGrid"):
        inspect_alignments(tmp_path)


def test_the_json_form_has_the_figures_and_no_lengths(folder):
    plain = inspect_alignments(folder).to_json()
    assert plain["between"]["count"] == 21
    assert "pause_lengths_s" not in plain
