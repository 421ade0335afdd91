"""Errors of written text: edits per character and per word, two customary means of them, how sure a difference is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError


def edit_count(reference: Sequence[object], hypothesis: Sequence[object]) -> int:
    """The fewest substitutions, deletions and insertions that turn one into the other (Levenshtein, 1966)."""
    numbers: dict[object, int] = {}
    first, second = (np.array([numbers.setdefault(x, len(numbers)) for x in each]) for each in (reference, hypothesis))
    places = np.arange(len(first) + 1)
    row = places
    for symbol in second:
        best = np.concatenate([row[:1] + 1, np.minimum(row[1:] + 1, row[:-1] + (first != symbol))])
        row = np.minimum.accumulate(best - places) + places
    return int(row[-1])


@dataclass(frozen=True)
class TextErrors:
    """Edits and reference lengths of sentences (N,), in characters (spaces count) or in words. Edits may be means."""

    edits: npt.NDArray[Any]
    lengths: npt.NDArray[np.int64]

    @property
    def total_rate(self) -> float:
        """All edits / all reference units: long sentences weigh more. What jiwer calls CER and WER."""
        return float(self.edits.sum() / self.lengths.sum())

    @property
    def mean_rate(self) -> float:
        """The mean over sentences of edits / length, as LipNet's reimplementations print."""
        return float((self.edits / self.lengths).mean())


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> TextErrors:
    """Errors in characters. DataError if the lists differ in length, or a reference is empty."""
    return _errors(references, hypotheses)


def word_errors_of(references: Sequence[str], hypotheses: Sequence[str]) -> TextErrors:
    """Errors in words between spaces. DataError as for characters."""
    return _errors([text.split() for text in references], [text.split() for text in hypotheses])


def _errors(references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]) -> TextErrors:
    if len(references) != len(hypotheses):
        raise DataError(f"{len(references)} references but {len(hypotheses)} hypotheses")
    if not references or not all(references):
        raise DataError("an error rate needs references that say something", why="there is none, or one is empty")
    edits = [edit_count(r, h) for r, h in zip(references, hypotheses, strict=True)]
    return TextErrors(np.array(edits), np.array([len(each) for each in references]))


def nearest_word(text: str, vocabulary: Sequence[str]) -> str:
    """The word of a vocabulary with the smallest edit distance to a text; the first of several."""
    return min(vocabulary, key=lambda word: edit_count(word, text))


@dataclass(frozen=True)
class Difference:
    """Error rate of one system minus that of another: of all sentences, its 95 % interval, and the share of resamples
    in which the first is not better.
    """

    value: float
    low: float
    high: float
    not_better: float

    @property
    def within_noise(self) -> bool:
        """Whether 0 is inside the interval."""
        return self.low <= 0.0 <= self.high


def paired_bootstrap(first: TextErrors, second: TextErrors, n_resamples: int = 10_000, seed: int = 0) -> Difference:
    """Resample sentences, the same for both systems (Efron, 1979; Koehn, EMNLP 2004), and compare total rates.

    Several runs of a system may stand one after the other if both have the same sentences in the same places.
    Raises DataError if the sentences are not the same.
    """
    if not np.array_equal(first.lengths, second.lengths):
        raise DataError("two systems can be compared on the same sentences only")
    draw = np.random.default_rng(seed)
    difference = first.edits - second.edits
    drawn = draw.integers(len(difference), size=(n_resamples, len(difference)))
    rates = difference[drawn].sum(axis=1) / first.lengths[drawn].sum(axis=1)
    low, high = np.quantile(rates, [0.025, 0.975])
    return Difference(first.total_rate - second.total_rate, float(low), float(high), float((rates >= 0).mean()))


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Spearman's rank correlation; equal values share their mean rank. NaN where one of them never changes."""
    ranks = [_ranks(np.asarray(each, dtype=np.float64)) for each in (first, second)]
    if any(np.ptp(each) == 0 for each in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    below = (values[:, None] > values[None, :]).sum(axis=1)
    same = (values[:, None] == values[None, :]).sum(axis=1)
    ranks: npt.NDArray[np.float64] = below + (same - 1) / 2
    return ranks
