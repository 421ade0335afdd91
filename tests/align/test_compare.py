"""Boundary errors between two alignments, against figures counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechkd.align import Alignment, Interval, write_textgrid
from speechkd.align.compare import BoundaryErrors, compare_alignments, compare_pairs
from speechkd.align.compare_boundaries import phone_class
from speechkd.align.compare_picture import draw_worst
from speechkd.errors import DataError


def write(folder: Path, name: str, *words: tuple[float, float, str]) -> None:
    folder.mkdir(exist_ok=True)
    intervals = tuple(Interval(*word) for word in words)
    write_textgrid(folder / f"{name}.TextGrid", Alignment(intervals, (Interval(0, 2, "AH"),), 2.0))


def alignment(*rows: tuple[float, str]) -> Alignment:
    """Phones given by (end, label); the whole is one word."""
    starts = [0.0, *(end for end, _ in rows)]
    phones = tuple(Interval(start, end, label) for start, (end, label) in zip(starts, rows, strict=False))
    spoken = [phone for phone in phones if phone.label]
    return Alignment((Interval(spoken[0].start_s, spoken[-1].end_s, "word"),), phones, rows[-1][0])


def test_figures_of_words(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    write(first, "x", (0.1, 0.5, "one"), (0.5, 0.9, "<unk>"), (0.9, 1.4, "Two"))
    write(second, "x", (0.12, 0.51, "one"), (0.51, 0.87, "odd"), (0.87, 1.5, "two"))
    write(first, "only", (0.1, 0.5, "one"))
    result = compare_alignments(first, second)
    # differences in ms: starts +20 -30, ends +10 +100
    assert result.both.boundaries == 4
    assert (result.both.mean_ms, result.both.median_ms, result.both.bias_ms) == (40.0, 25.0, 25.0)
    assert (result.both.within_10_ms, result.both.within_20_ms, result.both.within_50_ms) == (0.25, 0.5, 0.75)
    assert (result.starts.bias_ms, result.ends.bias_ms) == (-5.0, 55.0)
    assert (result.utterances, result.words_unmatched) == (1, 2)
    assert (result.only_in_reference, result.only_in_other) == (("only",), ())


def test_phones_count_every_boundary_once_and_by_class() -> None:
    reference = alignment((0.1, ""), (0.2, "S"), (0.3, "AA1"), (0.5, ""), (0.6, "T"), (0.7, "N"))
    other = alignment((0.12, ""), (0.2, "S"), (0.27, "AA"), (0.51, ""), (0.6, "T"), (0.7, "N"))
    result = compare_pairs([("x", reference, other)])
    # starts of S AA T N: +20 0 +10 0; ends of AA (before a silence) -30 and of N (at the edge) 0
    assert result.phones is not None and result.phones.boundaries == 6
    assert result.phones.mean_ms == pytest.approx(10.0) and result.phones.bias_ms == pytest.approx(0.0)
    assert result.by_class["after: silence"].boundaries == 2
    assert result.by_class["after: silence"].bias_ms == pytest.approx(-15.0)
    assert result.by_class["before: silence"].bias_ms == pytest.approx(15.0)
    assert result.by_class["after: stop"].bias_ms == pytest.approx(10.0)
    assert result.phones_unmatched == 0


def test_a_phone_that_only_one_has_is_counted_not_compared() -> None:
    reference = alignment((0.1, "S"), (0.2, "T"), (0.3, "N"))
    other = alignment((0.1, "S"), (0.15, "D"), (0.3, "N"))
    result = compare_pairs([("x", reference, other)])
    assert result.phones_unmatched == 2
    assert result.phones is not None and result.phones.boundaries == 4  # both ends of S and of N
    assert result.phones.bias_ms == pytest.approx(-12.5)


def test_pauses_found_missed_and_added() -> None:
    reference = alignment((0.2, ""), (0.3, "S"), (0.5, ""), (0.6, "T"), (0.7, "N"), (0.75, ""), (0.8, "K"))
    other = alignment((0.23, ""), (0.3, "S"), (0.5, "T"), (0.6, ""), (0.7, "N"), (0.75, ""), (0.8, "K"))
    pauses = compare_pairs([("x", reference, other)]).pauses
    # found: the one at the edge (its end 30 ms late); missed: after S; added: before N; the 50 ms are no pause
    assert pauses is not None
    assert (pauses.in_reference, pauses.found, pauses.added) == (2, 1, 1)
    assert pauses.starts is None and pauses.ends is not None and pauses.ends.bias_ms == pytest.approx(30.0)


def test_an_unknown_word_keeps_its_utterance_out_of_the_phones_only() -> None:
    reference = alignment((0.1, "S"), (0.3, "spn"))
    result = compare_pairs([("x", reference, alignment((0.1, "S"), (0.3, "N")))])
    assert result.utterances_without_phones == 1 and result.phones is None and result.pauses is None
    assert result.both.boundaries == 2


def test_the_worst_come_first() -> None:
    reference = alignment((0.1, ""), (0.3, "S"), (0.5, ""))
    others = {"a": 0.11, "b": 0.15, "c": 0.1}
    rows = [(name, reference, alignment((start, ""), (0.3, "S"), (0.5, ""))) for name, start in others.items()]
    assert [each.id for each in compare_pairs(rows).worst] == ["b", "a", "c"]


def test_classes() -> None:
    labels = {"AA0": "vowel", "ER": "vowel", "D": "stop", "JH": "affricate", "HH": "fricative", "NG": "nasal"}
    assert {label: phone_class(label) for label in labels} == labels
    assert (phone_class("Y"), phone_class(""), phone_class("ʒ")) == ("liquid/glide", "silence", "other")


def test_whole_frames_count_as_within(tmp_path: Path) -> None:
    errors = BoundaryErrors.of(np.array([0.3 - 0.28, 0.7 - 0.65]))
    assert (errors.within_20_ms, errors.within_50_ms) == (0.5, 1.0)


def test_nothing_shared(tmp_path: Path) -> None:
    write(tmp_path / "a", "x", (0.1, 0.5, "one"))
    write(tmp_path / "b", "y", (0.1, 0.5, "one"))
    with pytest.raises(DataError, match="0 TextGrids"):
        compare_alignments(tmp_path / "a", tmp_path / "b")


def test_picture(tmp_path: Path) -> None:
    import soundfile
    from matplotlib import image

    first, second = tmp_path / "a", tmp_path / "b"
    write(first, "x", (0.1, 0.5, "one"), (0.9, 1.4, "two"))
    write(second, "x", (0.1, 0.5, "one"), (1.2, 1.4, "two"))
    draw_worst(tmp_path / "tiers.png", first, second, ["x"], None)
    plain = image.imread(tmp_path / "tiers.png")
    red = (plain[..., 0] > 0.7) & (plain[..., 1] < 0.3) & (plain[..., 2] < 0.3)
    assert red.sum() > 100  # the difference is marked
    with pytest.raises(DataError, match="No recording"):
        draw_worst(tmp_path / "mel.png", first, second, ["x"], tmp_path)
    soundfile.write(tmp_path / "x.wav", np.random.default_rng(0).normal(0, 0.1, 32000), 16000)
    draw_worst(tmp_path / "mel.png", first, second, ["x"], tmp_path)
    assert np.std(image.imread(tmp_path / "mel.png")[..., :3]) > np.std(plain[..., :3])
