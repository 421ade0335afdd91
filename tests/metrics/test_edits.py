"""Edits, both definitions of error rates (R11), the paired bootstrap, and rank correlation."""

from __future__ import annotations

import random

import numpy as np
import pytest

from speechkd.errors import DataError
from speechkd.metrics.edits import (
    TextErrors,
    character_errors,
    edit_count,
    nearest_word,
    paired_bootstrap,
    rank_correlation,
    word_errors_of,
)


def test_counts_equal_another_library() -> None:
    jiwer = pytest.importorskip("jiwer")
    draw = random.Random(0)
    for _ in range(50):
        first, second = ("".join(draw.choice("ab c") for _ in range(draw.randint(1, 9))) for _ in range(2))
        first, second = f"x{first}x", f"x{second}x"  # jiwer strips outer spaces
        found = jiwer.process_characters(first, second)
        assert edit_count(first, second) == found.substitutions + found.deletions + found.insertions
    assert (edit_count("", "abc"), edit_count("abc", ""), edit_count("", "")) == (3, 3, 0)


def test_r11_both_definitions() -> None:
    """Total edits by total length, and the mean of ratios: 2 of 10 and 1 of 2 are 25 % and 35 %."""
    errors = character_errors(["abcdefghij", "ab"], ["abcdefgh", "a"])
    assert (errors.total_rate, errors.mean_rate) == (pytest.approx(3 / 12), pytest.approx(0.35))
    assert character_errors(["a b"], ["ab"]).total_rate == pytest.approx(1 / 3), "spaces count"
    words = word_errors_of(["bin blue at f two now", "set red"], ["bin blue at s two", "set red"])
    assert (words.total_rate, words.mean_rate) == (pytest.approx(2 / 8), pytest.approx(1 / 6))


@pytest.mark.parametrize(("references", "hypotheses"), [(["a"], []), ([], []), (["a", ""], ["a", "b"])])
def test_rates_of_nothing_are_refused(references: list[str], hypotheses: list[str]) -> None:
    with pytest.raises(DataError):
        character_errors(references, hypotheses)


def test_the_interval_of_the_bootstrap_is_the_normal_one() -> None:
    """Many sentences of one length: 1.96 standard errors of the mean difference to either side."""
    draw = np.random.default_rng(0)
    lengths = np.full(400, 20)
    first, second = (TextErrors(draw.poisson(mean, 400), lengths) for mean in (3.0, 3.6))
    found = paired_bootstrap(first, second)
    gap = (first.edits - second.edits) / 20
    error = gap.std() / 20
    assert found.value == pytest.approx(gap.mean())
    assert (found.low, found.high) == (
        pytest.approx(gap.mean() - 1.96 * error, abs=error / 5),
        pytest.approx(gap.mean() + 1.96 * error, abs=error / 5),
    )
    assert not found.within_noise and found.not_better < 0.01
    assert paired_bootstrap(first, first).within_noise


def test_the_bootstrap_is_paired() -> None:
    """A system that is one edit better on every sentence is surely better, however much sentences differ."""
    edits = np.random.default_rng(1).integers(1, 30, 50)
    lengths = np.full(50, 40)
    found = paired_bootstrap(TextErrors(edits - 1, lengths), TextErrors(edits, lengths))
    assert (found.low, found.high) == (pytest.approx(-1 / 40), pytest.approx(-1 / 40))
    with pytest.raises(DataError):
        paired_bootstrap(TextErrors(edits, lengths), TextErrors(edits, lengths + 1))


def test_rank_correlation_equals_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    draw = np.random.default_rng(2)
    for _ in range(10):
        first, second = draw.integers(0, 5, (2, 12))
        assert rank_correlation(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert np.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))


def test_the_nearest_word() -> None:
    assert nearest_word("whte", ["green", "white", "blue"]) == "white"
    assert nearest_word("x", ["ab", "cd"]) == "ab"
