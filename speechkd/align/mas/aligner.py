"""Forced alignment by an aligner that was trained on the corpus itself."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from speechkd.align.mas.features import PRESET, hear
from speechkd.align.mas.graph import Unit, build_graph, segments
from speechkd.align.mas.network import CONFIG, WEIGHTS, StateClassifier, load_network
from speechkd.align.mas.search import best_path
from speechkd.align.options import MasOptions
from speechkd.align.types import SILENCE, Alignment, Interval
from speechkd.errors import DataError, UsageError

if TYPE_CHECKING:
    from speechkd.text import Tokens


class MasAligner:
    """The best path of a trained `StateClassifier`; boundaries lie on its frames, every 10 ms."""

    def __init__(self, options: MasOptions) -> None:
        """Raises `UsageError` without a model and `ArtifactError` for one that cannot be read."""
        if options.model is None:
            raise UsageError("Backend mas needs a trained model", todo="Use `speechkd align` or a recipe to train it.")
        self._network = _network(options.model)

    def align(
        self, samples: NDArray[np.float32], sample_rate: int, tokens: Tokens, *, utterance_id: str = ""
    ) -> Alignment:
        """Words and phones of `samples` (T,) in time, every phone of at least three frames.

        Raises `DataError` for a recording that is too short for the text, silent or broken, and for unknown phones.
        """
        where = utterance_id or None
        heard = hear(samples, sample_rate, where)
        try:
            graph = build_graph(tokens, self._network.inventory)
            path = best_path(self._scores(heard.frames, graph.states), graph.sources)
        except DataError as error:
            raise DataError(error.what, where=where, why=error.why, todo=error.todo) from error
        return _alignment(segments(path, graph), tokens, len(samples) / sample_rate).check(where)

    def _scores(self, frames: NDArray[np.float32], states: NDArray[np.int64]) -> NDArray[np.float32]:
        """(F, S): the log likelihood of each frame in each state of the graph."""
        with torch.inference_mode():
            scores = self._network.scaled(self._network(torch.from_numpy(frames)[None])[0])
        return np.ascontiguousarray(scores[:, torch.from_numpy(states)].numpy())


def _network(folder: Path) -> StateClassifier:
    """The network in a folder, read once per process and again when its files change."""
    stamps = [path.stat().st_mtime_ns if path.is_file() else 0 for path in (folder / CONFIG, folder / WEIGHTS)]
    return _loaded(folder, *stamps)


@lru_cache(maxsize=2)
def _loaded(folder: Path, _config_stamp: int, _weights_stamp: int) -> StateClassifier:
    return load_network(folder)


def _alignment(found: list[tuple[Unit, int, int]], tokens: Tokens, duration_s: float) -> Alignment:
    # What is left after the last whole frame belongs to the last unit.
    ends = [*(round(end * PRESET.hop_s, 6) for _, _, end in found[:-1]), duration_s]
    starts = [0.0, *ends[:-1]]
    phones = tuple(Interval(a, b, unit.label) for (unit, _, _), a, b in zip(found, starts, ends, strict=True))
    spans: dict[int, tuple[float, float]] = {}
    for (unit, _, _), phone in zip(found, phones, strict=True):
        if phone.label != SILENCE:
            spans[unit.word] = (spans.get(unit.word, (phone.start_s, 0.0))[0], phone.end_s)
    words = tuple(Interval(*spans[word], tokens.words[word].text) for word in sorted(spans))
    return Alignment(words, phones, duration_s)
