"""The mels that a trained acoustic model predicts of recorded utterances, frame by frame beside the recordings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recipes.tts.common.dataset import TtsDataset
from recipes.tts.common.manifest import Manifest
from speechkd.errors import ConfigError, DataError
from speechkd.models.tts.config import AdaptorNetworkConfig
from speechkd.models.tts.load import load_model
from speechkd.models.tts.prodiff import ProDiff
from speechkd.runner import ItemStore
from speechkd.runner.records import RunFolder

# Those that make mels and can be given durations.
KINDS = ("fastspeech", "fastspeech2", "prodiff")


@dataclass(frozen=True)
class AcousticRun:
    """A finished run: its model speaks its utterances with the durations of its features.

    `true_variances`: with the recorded pitch and energy too, where the model has them.
    """

    model: Path
    true_variances: bool

    @property
    def folder(self) -> RunFolder:
        """The run around the model."""
        return RunFolder(self.model.parent)

    @property
    def corpus(self) -> str:
        """The name of its corpus, by which its utterances are told apart from others of the same id."""
        record = self.folder.read_record("prepare")
        return str(record.plan.slice["corpus.name"]) if record is not None else ""

    def utterances(self) -> dict[str, int]:
        """Ids with features, and the numbers of their speakers."""
        features = ItemStore(self.folder.artifact("features"))
        numbers = Manifest.read(self.folder.artifact("manifest")).speaker_numbers()
        return {id_: numbers[id_] for id_ in features.ids}

    def held_out(self) -> frozenset[str]:
        """The ids that its training never saw."""
        return frozenset(Manifest.read(self.folder.artifact("manifest")).splits["test"])

    def check(self, audio: Any) -> None:
        """Refuse a model that predicts other mels than `audio` (mel, loudness_dbfs) has. Raises ConfigError."""
        record = self.folder.read_record("extract")
        if record is None or not self.corpus:
            raise ConfigError(
                "nobody knows what this acoustic model was trained on", where=str(self.model),
                why="the folder around it is not that of a run", todo="Give the folder `model` within a finished run",
            )  # fmt: skip
        for name in ("mel", "loudness_dbfs"):
            theirs, own = record.plan.slice.get(f"audio.{name}"), getattr(audio, name)
            if theirs != own:
                why = f"it was trained with {theirs}, this run has {own}"
                raise ConfigError(f"the acoustic model has another audio.{name}", where=str(self.model), why=why)
        if load_model(self.model).kind not in KINDS:
            todo = "Give a FastSpeech, a FastSpeech 2 or a ProDiff"
            raise ConfigError("no mels of given durations come from this model", where=str(self.model), todo=todo)

    def mel(self, id_: str, speaker: int) -> np.ndarray:
        """The predicted mel of an utterance: (n_frames, n_mels), as many frames as its recording.

        DataError for an utterance whose durations do not add up to that.
        """
        model, dataset = _opened(self.model)
        with torch.inference_mode():
            mel = _forced(model, dataset, id_, speaker) if self._forced(model) else _free(model, dataset, id_, speaker)
        expected = int(dataset.features.meta(id_)["n_frames"])
        if mel.shape[1] != expected:
            raise DataError(f"{mel.shape[1]} frames are predicted, the recording has {expected}", where=id_)
        array: np.ndarray = mel[0].float().numpy()
        return array

    def _forced(self, model: Any) -> bool:
        return self.true_variances and isinstance(model.config.network, AdaptorNetworkConfig)


def _forced(model: Any, dataset: TtsDataset, id_: str, speaker: int) -> Tensor:
    """What a model on a variance adaptor makes of true pitch and energy: (1, F, n_mels)."""
    batch = dataset.batch([id_])
    adapted = model.adapt(batch.tokens, batch.token_lengths, batch.variances, torch.tensor([speaker]))
    mel: Tensor = model.sample(adapted) if isinstance(model, ProDiff) else model.decode(adapted)
    return mel


def _free(model: Any, dataset: TtsDataset, id_: str, speaker: int) -> Tensor:
    """True durations, the rest predicted: (1, F, n_mels)."""
    tokens = torch.tensor([dataset.symbols.encode(dataset.tokens.meta(id_)["symbols"])])
    durations = torch.from_numpy(dataset.features.array(id_, "durations").astype(np.int64))[None]
    mel: Tensor = model.infer(
        tokens, torch.tensor([tokens.shape[1]]), speakers=torch.tensor([speaker]), durations=durations
    ).mel
    return mel


@lru_cache(maxsize=1)
def _opened(folder: Path) -> tuple[Any, TtsDataset]:
    """A run's model and its utterances, once per process."""
    model = load_model(folder)
    run = RunFolder(folder.parent)
    dataset = TtsDataset(run.artifact("features"), run.artifact("spoken"), model.config.network)
    return model, dataset
