"""Boundaries to the nearest 10 ms: the words that a first pass found are searched again with the boundary network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechkd.align.matching import without_stress
from speechkd.align.refine_features import FRAME_S, log_mel
from speechkd.align.refine_network import CARD, WEIGHTS, BoundaryNetwork, Floats, load_network
from speechkd.align.refine_path import Unit, best_path
from speechkd.align.refine_posterior import placed
from speechkd.align.types import SILENCE, Interval


@dataclass(frozen=True)
class Search:
    """How the network's outputs become a path; the values in use stand in the card beside the weights.

    `reach_frames`: how far a phone may leave the place of its word; `entry_weight`: what the evidence for a beginning
    counts; `silence_cost`: what a silence costs, in nats; `prior_scale`: how much of the phones' frequency is taken
    off; `posterior_floor`: no frame speaks more strongly against a phone than this probability; `duration_weight`: what
    the usual lengths of the phones count; `min_frames`: the shortest phone and silence; `temperature`: what the scores
    are divided by for the posteriors of the boundaries; `into_silence`: the quantile of its posterior at which a phone
    ends before a silence.
    """

    reach_frames: int
    entry_weight: float
    silence_cost: float
    prior_scale: float
    posterior_floor: float
    duration_weight: float
    min_frames: int
    temperature: float
    into_silence: float


@dataclass(frozen=True)
class CoarseWord:
    """A word where the first pass found it, with the phones to look for."""

    start_s: float
    end_s: float
    phones: tuple[str, ...]


@dataclass(frozen=True)
class Refined:
    """The phones of the words in time, one per phone and in order, and how well the sound fits them.

    `fit`: mean over the spoken frames of the natural logarithm of the phone's posterior; 0 is perfect.
    """

    phones: tuple[Interval, ...]
    fit: float


class Refiner:
    """Finds phones and pauses around coarse words. Use `refiner` to get the one of this process.

    `log_prior` (labels,): how often each of the network's labels occurs; `durations`: mean and deviation of the
    natural logarithm of a phone's frames, by phone with and without stress.
    """

    def __init__(
        self,
        network: BoundaryNetwork,
        search: Search,
        log_prior: NDArray[np.float32],
        durations: Mapping[str, tuple[float, float]],
    ) -> None:
        self._network = network
        self.search = search
        self._log_prior = log_prior
        self._durations = durations
        self._place = {label: place for place, label in enumerate(network.labels)}

    def refine(self, samples: NDArray[np.float32], words: Sequence[CoarseWord]) -> Refined | None:
        """The phones of `words` in `samples` (N,) at 16 kHz; None when they do not fit within the search's reach."""
        mel = log_mel(samples)
        if not len(mel):
            return None
        posteriors, begins = self._network(mel)
        heard = posteriors - np.float32(self.search.prior_scale) * self._log_prior
        scores = np.log(np.exp(heard) + np.float32(self.search.posterior_floor))
        units = self._units(words, scores, begins)
        path = best_path(units, len(mel))
        if path is None:
            return None
        spans = placed(units, path, len(mel), self.search.temperature, self.search.into_silence)
        labels = [label for word in words for label in (SILENCE, *word.phones)] + [SILENCE]
        found = [(*span, label) for span, label in zip(spans, labels, strict=True) if span and label != SILENCE]
        phones = tuple(Interval(_seconds(start), _seconds(end), label) for start, end, label in found)
        fits = [posteriors[start:end, self._place[without_stress(label)]] for start, end, label in found]
        return Refined(phones, float(np.concatenate(fits).mean()))

    def _units(self, words: Sequence[CoarseWord], scores: Floats, begins: Floats) -> list[Unit]:
        """Every phone, and before each word and at the end a silence that may be left out."""
        search, rate = self.search, self._log_rate(words)
        quiet = scores[:, self._place[SILENCE]]
        units: list[Unit] = []
        before: tuple[str, int] | None = None
        for word in words:
            first, last = self._window(word, len(scores))
            units.append(self._pause(quiet, begins, before, (word.phones[0], first)))
            entries = self._entries(begins, list(zip(word.phones, word.phones[1:], strict=False)), first, last)
            for phone, entry in zip(word.phones, [None, *entries], strict=True):
                durations = self._duration_scores(phone, rate, last - first)
                heard = scores[:, self._place[without_stress(phone)]]
                units.append(Unit(heard, first, last, search.min_frames, entry, durations=durations))
            before = (word.phones[-1], last)
        return [*units, self._pause(quiet, begins, before, None)]

    def _window(self, word: CoarseWord, n_frames: int) -> tuple[int, int]:
        """The frames [first, last) that the phones of a word may use."""
        reach = self.search.reach_frames
        first = min(max(round(word.start_s / FRAME_S) - reach, 0), n_frames)
        return first, max(min(round(word.end_s / FRAME_S) + reach, n_frames), first)

    def _pause(
        self, quiet: Floats, begins: Floats, before: tuple[str, int] | None, after: tuple[str, int] | None
    ) -> Unit:
        """The silence between two phones, given with the last frame of the one and the first of the other."""
        n_frames, reach = len(quiet), self.search.reach_frames
        first = 0 if before is None else max(before[1] - 2 * reach, 0)
        last = n_frames if after is None else max(min(after[1] + 2 * reach, n_frames), first)
        enter = leave = None
        skip = np.zeros(last - first + 1, np.float32)
        if before is not None:
            (enter,) = self._entries(begins, [(before[0], SILENCE)], first, last)
            enter -= np.float32(self.search.silence_cost)
        if after is not None:
            (leave,) = self._entries(begins, [(SILENCE, after[0])], first, last)
        if before is not None and after is not None:
            (skip,) = self._entries(begins, [(before[0], after[0])], first, last)
        return Unit(quiet, first, last, self.search.min_frames, enter, leave, skip)

    def _entries(self, begins: Floats, pairs: Sequence[tuple[str, str]], first: int, last: int) -> list[Floats]:
        """Per pair of phones the weighed log probability (last - first + 1,) that the second begins there."""
        if not pairs:
            return []
        places = [(self._place[without_stress(a)], self._place[without_stress(b)]) for a, b in pairs]
        # The boundary behind the last frame has no frame of its own: nothing speaks for or against it.
        evidence = np.zeros((len(pairs), last - first + 1), np.float32)
        known = begins[first : last + 1]
        evidence[:, : len(known)] = self._network.transitions(known, places)
        peak = evidence.max(axis=1, keepdims=True)
        total = peak + np.log(np.exp(evidence - peak).sum(axis=1, keepdims=True))
        return list(np.float32(self.search.entry_weight) * (evidence - total))

    def _log_rate(self, words: Sequence[CoarseWord]) -> float:
        """Logarithm of how much longer these words take than words usually do."""
        usual = sum(np.exp(self._duration(phone)[0]) for word in words for phone in word.phones) * FRAME_S
        return float(np.log(sum(word.end_s - word.start_s for word in words) / usual))

    def _duration(self, phone: str) -> tuple[float, float]:
        return self._durations.get(phone) or self._durations[without_stress(phone)]

    def _duration_scores(self, phone: str, log_rate: float, n_frames: int) -> Floats:
        """Scores of lengths 0 .. n_frames: a normal distribution of the logarithm, up to a constant."""
        mean, deviation = self._duration(phone)
        distance = (np.log(np.maximum(np.arange(n_frames + 1), 1)) - mean - log_rate) / deviation
        scores = np.asarray(-0.5 * self.search.duration_weight * np.square(distance), np.float32)
        scores[: self.search.min_frames] = -np.inf
        return scores


def _seconds(frame: int) -> float:
    return round(frame * FRAME_S, 6)


@lru_cache(maxsize=2)
def refiner(weights: Path = WEIGHTS, card: Path = CARD) -> Refiner:
    """The refiner of this process, with the search that the card names."""
    facts = json.loads(card.read_text(encoding="utf-8"))
    durations = {phone: (float(mean), float(deviation)) for phone, (mean, deviation) in facts["durations"].items()}
    network = load_network(weights, card)
    return Refiner(network, Search(**facts["search"]), np.asarray(facts["log_prior"], np.float32), durations)
