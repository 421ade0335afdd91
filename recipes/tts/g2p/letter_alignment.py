"""Which letter makes which phones: expectation-maximisation with its best path, over a whole dictionary at once.

Every letter makes no phone, one, or two in a row. The score of a path is the product of P(phones | letter), estimated
from the best paths of the round before (hard EM; the one-to-many case of Jiampojamarn, Kondrak and Sherif, "Applying
many-to-many alignments and hidden Markov models to letter-to-phoneme conversion", NAACL 2007, section 3).
Stress is left out of account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from speechkd.text.g2p_weights import LETTERS
from speechkd.text.symbols import CONSONANTS, VOWELS

Pair = tuple[str, tuple[str, ...]]
Chunks = tuple[tuple[str, ...], ...]

_PHONES = {phone: i for i, phone in enumerate((*CONSONANTS, *VOWELS))}
_LETTERS = {letter: i for i, letter in enumerate(LETTERS)}
_N = len(_PHONES)
# Log scores of the first round, before anything is known: one phone per letter is the rule.
_FIRST_NONE, _FIRST_TWO = -3.0, -3.0
# Counts that stand for what was not seen: one phone, and two.
_UNSEEN_ONE, _UNSEEN_TWO = 0.05, 0.001


def align_letters(pairs: Sequence[Pair], rounds: int) -> list[Chunks | None]:
    """The phones of each letter, for words of `LETTERS`; None for a word with more than two phones per letter."""
    groups = list(_groups(pairs))
    none, one, two = _first_scores(groups)
    best: list[np.ndarray] = []
    for _ in range(rounds):
        best = [_best_paths(letters, phones, none, one, two) for _, letters, phones in groups]
        none, one, two = _estimate(groups, best)
    aligned: list[Chunks | None] = [None] * len(pairs)
    for (places, _, _), counts in zip(groups, best, strict=True):
        for place, row in zip(places, counts, strict=True):
            phones, ends = pairs[place][1], np.cumsum(row)
            aligned[place] = tuple(phones[end - n : end] for n, end in zip(row, ends, strict=True))
    return aligned


Group = tuple[list[int], np.ndarray, np.ndarray]


def _groups(pairs: Sequence[Pair]) -> Iterator[Group]:
    """Words with the same number of letters and of phones: their places, letters (W, n) and phones (W, m)."""
    same: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, (word, phones) in enumerate(pairs):
        if len(phones) <= 2 * len(word):
            same[len(word), len(phones)].append(place)
    for _, places in sorted(same.items()):
        letters = np.array([[_LETTERS[letter] for letter in pairs[place][0]] for place in places])
        sounds = np.array([[_PHONES[phone.rstrip("012")] for phone in pairs[place][1]] for place in places])
        yield places, letters, sounds


def _first_scores(groups: Sequence[Group]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Letters and phones at about the same place of their words belong together."""
    counts = np.full((len(LETTERS), _N), 0.01)
    for _, letters, phones in groups:
        n, m = letters.shape[1], phones.shape[1]
        apart = np.abs((np.arange(n)[:, None] + 0.5) / n - (np.arange(m)[None, :] + 0.5) / m) * max(n, m)
        weights = np.broadcast_to(np.exp(-2.0 * apart), (len(letters), n, m))
        np.add.at(counts, (letters[:, :, None], phones[:, None, :]), weights)
    one = np.log(counts / counts.sum(axis=1, keepdims=True))
    return np.full(len(LETTERS), _FIRST_NONE), one, (one[:, :, None] + one[:, None, :]) / 2 + _FIRST_TWO


def _best_paths(
    letters: np.ndarray, phones: np.ndarray, none: np.ndarray, one: np.ndarray, two: np.ndarray
) -> np.ndarray:
    """How many phones (W, n) each letter makes on the best path."""
    words, n = letters.shape
    m = phones.shape[1]
    scores = np.full((words, m + 1), -np.inf)
    scores[:, 0] = 0.0
    taken = np.zeros((words, n, m + 1), np.int8)
    for i in range(n):
        letter = letters[:, i]
        options = np.full((3, words, m + 1), -np.inf)
        options[0] = scores + none[letter][:, None]
        options[1, :, 1:] = scores[:, :-1] + one[letter[:, None], phones]
        options[2, :, 2:] = scores[:, :-2] + two[letter[:, None], phones[:, :-1], phones[:, 1:]]
        taken[:, i] = options.argmax(axis=0)
        scores = options.max(axis=0)
    counts = np.zeros((words, n), np.int64)
    end = np.full(words, m)
    for i in reversed(range(n)):
        counts[:, i] = taken[np.arange(words), i, end]
        end -= counts[:, i]
    return counts


def _estimate(groups: Sequence[Group], paths: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    none = np.full(len(LETTERS), _UNSEEN_ONE)
    one = np.full((len(LETTERS), _N), _UNSEEN_ONE)
    two = np.full((len(LETTERS), _N, _N), _UNSEEN_TWO)
    for (_, letters, phones), counts in zip(groups, paths, strict=True):
        ends = np.cumsum(counts, axis=1)
        word, place = np.nonzero(counts == 0)
        np.add.at(none, letters[word, place], 1.0)
        word, place = np.nonzero(counts == 1)
        np.add.at(one, (letters[word, place], phones[word, ends[word, place] - 1]), 1.0)
        word, place = np.nonzero(counts == 2)
        last = ends[word, place] - 1
        np.add.at(two, (letters[word, place], phones[word, last - 1], phones[word, last]), 1.0)
    total = none + one.sum(axis=1) + two.sum(axis=(1, 2))
    return np.log(none / total), np.log(one / total[:, None]), np.log(two / total[:, None, None])
