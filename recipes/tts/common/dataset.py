"""From stored features to padded batches of tensors."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from speechkd.data.batching import plan_batches, plan_batches_by_shard
from speechkd.errors import StageError
from speechkd.features.levels import token_means
from speechkd.features.logarithm import hz_of_log, log_hz
from speechkd.features.pitch import continuous_contour, interpolate_unvoiced
from speechkd.features.statistics import Statistics
from speechkd.features.wavelet import cwt
from speechkd.models.common.masks import length_mask
from speechkd.models.tts.adaptor import Variances
from speechkd.models.tts.config import AdaptorNetworkConfig
from speechkd.models.tts.regulator import token_of_frame
from speechkd.runner import ItemStore
from speechkd.text import SymbolTable, is_pause

Array = npt.NDArray[Any]


@dataclass
class Example:
    """One utterance: T tokens, F frames, P = F or T by the level of the feature."""

    tokens: Array  # (T,) int64
    speaker: int
    durations: Array  # (T,) int64
    mel: Array  # (F, n_mels)
    pitch_hz: Array  # (P,)
    voiced: Array  # (P,) bool
    energy: Array  # (P,)
    pauses: Array  # (T,) bool, tokens that say nothing and whose energy is known, with or without frames
    wavelet: Array | None  # (F, 10)
    pitch_statistics: Array  # (2,) mean and deviation of log F0 in corpus deviations


@dataclass
class Batch:
    """Examples padded to the longest; see `Example` for the shapes without the batch axis."""

    ids: list[str]
    tokens: Tensor
    token_lengths: Tensor
    speakers: Tensor
    mel: Tensor
    mel_lengths: Tensor
    variances: Variances
    pauses: Tensor
    wavelet: Tensor | None
    pitch_statistics: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        move = {name: _moved(value, device) for name, value in vars(self).items()}
        return Batch(**move)


def _moved(value: Any, device: torch.device | str) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Variances):
        return Variances(**{name: _moved(each, device) for name, each in vars(value).items()})
    return value


class TtsDataset:
    """Examples by utterance id, read from the artifacts `features` and `spoken` (the tokens as said)."""

    def __init__(
        self, features: Path, tokens: Path, network: AdaptorNetworkConfig, speakers: Mapping[str, int] | None = None
    ) -> None:
        self.features = ItemStore(features)
        self.tokens = ItemStore(tokens)
        self.symbols = SymbolTable.from_json(json.loads((tokens / "symbols.json").read_text(encoding="utf-8")))
        self.statistics = Statistics.read(features / "stats.json")
        self.network = network
        self.speakers = speakers or {}
        self.example = lru_cache(maxsize=4096)(self._example)

    @cached_property
    def silent(self) -> tuple[int, ...]:
        """The ids of the symbols that are pauses."""
        return silent_symbols(self.symbols)

    def n_frames(self, ids: Sequence[str]) -> dict[str, int]:
        """Frames per utterance."""
        return {id_: int(self.features.meta(id_)["n_frames"]) for id_ in ids}

    def learned_and_chosen_by(self, splits: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
        """The utterances of train and of valid that have features. StageError if a part has none left."""
        train, valid = ([id_ for id_ in splits[part] if id_ in self.features] for part in ("train", "valid"))
        for part, ids in (("train", train), ("valid", valid)):
            if not ids:
                raise StageError(
                    f"no utterance of {part} has features", where=str(self.features.folder),
                    why=f"all {len(splits[part])} failed in an earlier stage",
                    todo="See that stage's report, or hold out other utterances (split.seed)",
                )  # fmt: skip
        return train, valid

    def plan(
        self, lengths: Mapping[str, int], max_frames: int, seed: int, epoch: int, window: int = 0
    ) -> list[list[str]]:
        """The batches of an epoch; with a `window`, in an order that reads the features that many shards at a time."""
        if not window:
            return plan_batches(lengths, max_frames, seed, epoch)
        return plan_batches_by_shard(lengths, self.features.shards(), max_frames, seed, epoch, window)

    def _example(self, id_: str) -> Example:
        arrays = self.features.arrays(id_)
        durations, f0 = arrays["durations"].astype(np.int64), arrays["f0_hz"]
        contour = continuous_contour(f0)
        filled, voiced, energy = interpolate_unvoiced(f0), f0 > 0, arrays["energy"]
        pitch, energy_level = self.network.pitch, self.network.energy.level
        mean, deviation = self.statistics.log_f0_mean, self.statistics.log_f0_deviation
        tokens = np.asarray(self.symbols.encode(self.tokens.meta(id_)["symbols"]), dtype=np.int64)
        pauses = np.isin(tokens, self.silent)
        if energy_level == "phoneme":
            energy = with_pauses(token_means(energy, durations), durations, pauses)
        return Example(
            tokens=tokens,
            speaker=self.speakers.get(id_, 0),
            durations=durations,
            mel=arrays["mel"],
            pitch_hz=hz_of_log(token_means(log_hz(filled), durations)) if pitch.level == "phoneme" else filled,
            voiced=token_means(voiced, durations) > 0.5 if pitch.level == "phoneme" else voiced,
            energy=energy,
            pauses=pauses & bool(durations[pauses].any()),
            wavelet=cwt(contour.normalised, pitch.smallest_scale_frames) if pitch.target == "cwt" else None,
            pitch_statistics=np.asarray([(contour.mean - mean) / deviation, contour.deviation / deviation]),
        )

    def stretch(self, id_: str, draw: random.Random) -> Example:
        """A random stretch of an utterance's words, with the pause after its last word."""
        example = self.example(id_)
        ends = pause_places(self.tokens.meta(id_)["word_index"])
        first, last = sorted(draw.choices(range(len(ends) - 1), k=2))
        # The first stretch begins with the utterance, any other after a pause.
        return cut(example, 0 if first == 0 else ends[first] + 1, ends[last + 1] + 1)

    def batch(self, ids: Sequence[str]) -> Batch:
        """The padded batch of these utterances, whole."""
        return self.collate(ids, [self.example(id_) for id_ in ids])

    def collate(self, ids: Sequence[str], examples: Sequence[Example]) -> Batch:
        """Pad examples into a batch."""
        wavelets = [e.wavelet for e in examples if e.wavelet is not None]
        return Batch(
            ids=list(ids),
            tokens=_pad([e.tokens for e in examples]).long(),
            token_lengths=torch.tensor([len(e.tokens) for e in examples]),
            speakers=torch.tensor([e.speaker for e in examples]),
            mel=_pad([e.mel for e in examples]),
            mel_lengths=torch.tensor([len(e.mel) for e in examples]),
            variances=Variances(
                durations=_pad([e.durations for e in examples]).long(),
                pitch_hz=_pad([e.pitch_hz for e in examples]),
                voiced=_pad([e.voiced for e in examples]).bool(),
                energy=_pad([e.energy for e in examples]),
            ),
            pauses=_pad([e.pauses for e in examples]).bool(),
            wavelet=_pad(wavelets) if wavelets else None,
            pitch_statistics=torch.from_numpy(np.stack([e.pitch_statistics for e in examples])).float(),
        )


def with_pauses(energy: Array, durations: Array, pauses: Array) -> Array:
    """Energy of tokens (T,) in which pauses without frames are as quiet as the utterance's pauses with frames.

    Otherwise a model would never learn how loud a pause is where the speaker made none, and a break that is asked for
    there would hum. Where no pause has frames nothing changes.
    """
    heard = pauses & (durations > 0)
    return np.where(pauses & ~heard, energy[heard].mean(), energy) if heard.any() else energy


def pause_places(word_index: Sequence[int]) -> list[int]:
    """Where the tokens stand that belong to no word: the start, and one pause after every word."""
    return [place for place, word in enumerate(word_index) if word < 0]


def cut(example: Example, start: int, end: int) -> Example:
    """Tokens start..end of an example, with their frames; the whole example if the stretch has no frames."""
    first, last = int(example.durations[:start].sum()), int(example.durations[:end].sum())
    if first == last:
        return example
    n_frames = len(example.mel)

    def part(values: Array) -> Array:
        return values[first:last] if len(values) == n_frames else values[start:end]

    return replace(
        example,
        tokens=example.tokens[start:end],
        durations=example.durations[start:end],
        mel=example.mel[first:last],
        pitch_hz=part(example.pitch_hz),
        voiced=part(example.voiced),
        energy=part(example.energy),
        pauses=example.pauses[start:end],
        wavelet=None if example.wavelet is None else example.wavelet[first:last],
    )


def _pad(rows: Sequence[Array]) -> Tensor:
    tensors = [torch.from_numpy(np.ascontiguousarray(row)) for row in rows]
    tensors = [t.float() if t.is_floating_point() else t for t in tensors]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)


def silent_symbols(symbols: SymbolTable) -> tuple[int, ...]:
    """The places of the symbols that may last no frame at all: pauses and the start."""
    return tuple(i for i, symbol in enumerate(symbols.symbols) if is_pause(symbol) or symbol == "^")


def spread(values: Tensor, durations: Tensor, n_frames: int) -> Tensor:
    """Token values (B, T) per frame (B, n_frames)."""
    return values.gather(1, token_of_frame(durations, n_frames))


def token_mask(batch: Batch) -> Tensor:
    """True at real tokens: (B, T)."""
    return length_mask(batch.token_lengths, batch.tokens.shape[1])


def frame_mask(batch: Batch) -> Tensor:
    """True at real frames: (B, F)."""
    return length_mask(batch.mel_lengths, batch.mel.shape[1])


def mean_of(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Column means of rows that share their keys."""
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
