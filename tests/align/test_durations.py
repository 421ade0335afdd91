"""Frames per token: against a hand count, against exact fractions, and for every way an alignment can be wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechkd.align import Alignment, Interval, token_durations
from speechkd.errors import DataError
from speechkd.text.tokens import Word, lay_out


def alignment_of(*phones: tuple[float, float, str]) -> Alignment:
    return Alignment((), tuple(Interval(*phone) for phone in phones), phones[-1][1])


TWO = lay_out([Word("a", ("AH0",), "lexicon"), Word("bee", ("B", "IY1"), "lexicon")], ["|", "."])
SOUND = alignment_of((0, 0.2, ""), (0.2, 0.3, "AH"), (0.3, 0.5, ""), (0.5, 0.56, "B"), (0.56, 0.7, "IY1"), (0.7, 1, ""))


def test_hand_count() -> None:
    assert TWO.symbols == ("^", "AH0", "|", "B", "IY1", ".")
    assert token_durations(SOUND, TWO, 100, 0.01).tolist() == [20, 10, 20, 6, 14, 30]


def test_tokens_without_silence_get_no_frames() -> None:
    tight = alignment_of((0, 0.3, "AH0"), (0.3, 0.5, "B"), (0.5, 1, "IY"))
    assert token_durations(tight, TWO, 100, 0.01).tolist() == [0, 30, 0, 20, 50, 0]


def test_neighbouring_silences_are_one() -> None:
    split = alignment_of((0, 0.1, ""), (0.1, 0.2, ""), *[(p.start_s, p.end_s, p.label) for p in SOUND.phones[1:]])
    assert token_durations(split, TWO, 100, 0.01).tolist() == [20, 10, 20, 6, 14, 30]


def test_frames_beyond_or_short_of_the_alignment_go_to_the_last_token() -> None:
    assert token_durations(SOUND, TWO, 102, 0.01).tolist() == [20, 10, 20, 6, 14, 32]
    assert token_durations(SOUND, TWO, 98, 0.01).tolist() == [20, 10, 20, 6, 14, 28]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[tuple[int, bool]], int]:
    """Milliseconds of each phone and whether it is silence; the hop in samples at 22.05 kHz."""
    words = draw(st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=5), min_size=1, max_size=8))
    spans: list[tuple[int, bool]] = []
    for word in words:
        spans += [(draw(st.integers(1, 500)), True)] * draw(st.booleans())
        spans += [(length, False) for length in word]
    return spans, draw(st.sampled_from([200, 256, 300]))


@given(cases())
def test_sum_is_exact_and_every_boundary_is_within_half_a_frame(case: tuple[list[tuple[int, bool]], int]) -> None:
    spans, hop_samples = case
    words: list[Word] = []
    bounds = np.cumsum([0, *(length for length, _ in spans)])
    phones = [
        Interval(a / 1000, b / 1000, "" if quiet else "AH0")
        for a, b, (_, quiet) in zip(bounds[:-1], bounds[1:], spans, strict=True)
    ]
    for index, (_, quiet) in enumerate(spans):
        if not quiet:
            new_word = index == 0 or spans[index - 1][1] or not words
            words = [*words, Word("w", ("AH0",), "x")] if new_word else [*words[:-1], longer(words[-1])]
    tokens = lay_out(words, ["|"] * len(words))
    hop = Fraction(hop_samples, 22050)
    n_frames = math.floor(Fraction(int(bounds[-1]), 1000) / hop)
    durations = token_durations(Alignment((), tuple(phones), bounds[-1] / 1000), tokens, n_frames, float(hop))
    assert durations.sum() == n_frames and durations.min() >= 0 and durations.dtype == np.int64
    spoken_ends = [end for end, (_, quiet) in zip(bounds[1:], spans, strict=True) if not quiet]
    token_ends = [int(end) for end, word in zip(np.cumsum(durations), tokens.word_index, strict=True) if word >= 0]
    for frame, end_ms in zip(token_ends, spoken_ends, strict=True):
        exact = Fraction(int(end_ms), 1000) / hop
        assert abs(min(exact, Fraction(n_frames)) - frame) <= Fraction(1, 2) + Fraction(1, 10**6)


def longer(word: Word) -> Word:
    return Word(word.text, (*word.phones, "AH0"), word.source)


@pytest.mark.parametrize(
    ("phones", "n_frames", "message"),
    [
        ([(0, 0.3, "AH0"), (0.3, 0.5, "B"), (0.5, 1, "IY")], 110, "another recording"),
        ([(0, 0.3, "AH0"), (0.3, 0.5, "P"), (0.5, 1, "IY")], 100, r"phone 2.*AH0 \[P\] IY.*AH0 \[B\] IY1"),
        ([(0, 0.3, "AH0"), (0.3, 1, "B")], 100, r"phone 3.*\[end\]"),
        ([(0, 0.3, "AH0"), (0.3, 0.5, "B"), (0.5, 0.6, ""), (0.6, 1, "IY")], 100, "Silence inside a word"),
        ([(0, 0.3, "AH0"), (0.4, 0.5, "B"), (0.5, 1, "IY")], 100, "gap"),
        ([(0, 0.3, "AH0"), (0.2, 0.5, "B"), (0.5, 1, "IY")], 100, "overlaps"),
        ([(0, 0.3, "AH0"), (0.3, 0.3, "B"), (0.3, 1, "IY")], 100, "no length"),
        ([(0, 0.3, "AH0"), (0.3, math.nan, "B"), (0.3, 1, "IY")], 100, "not a number"),
        ([(0.1, 0.3, "AH0"), (0.3, 0.5, "B"), (0.5, 1, "IY")], 100, "not at 0"),
    ],
)
def test_wrong_alignments_are_refused(phones: Sequence[tuple[float, float, str]], n_frames: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        token_durations(alignment_of(*phones), TWO, n_frames, 0.01)


def test_json_round_trip() -> None:
    assert Alignment.from_json(SOUND.to_json()) == SOUND
    with pytest.raises(DataError):
        Alignment.from_json({"words": [], "phones": [[1]], "duration_s": 1})
