"""From tokens to sound with any of the systems, the same vocoder for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from recipes.tts.common.claims.systems import System
from recipes.tts.common.dataset import Batch, TtsDataset
from speechkd.audio.presets import MelPreset, mel_preset
from speechkd.hub.fetch import fetch_files
from speechkd.models.tts.interface import Spoken
from speechkd.models.vocoder.load import NetworkVocoder, Vocoder, load_vocoder
from speechkd.models.vocoder.options import VocoderOptions

Samples = npt.NDArray[np.float32]

_vocoders: dict[str, Vocoder] = {}


@dataclass(frozen=True)
class Voicing:
    """How mels become sound. Can be sent to other processes, which load the vocoder once."""

    options: VocoderOptions
    preset_name: str
    level_db: float

    @classmethod
    def of(cls, cfg: Any) -> Voicing:
        """As the configuration says."""
        return cls(cfg.vocoder, cfg.audio.mel, cfg.audio.vocoder_level_db)

    @property
    def preset(self) -> MelPreset:
        """The mels' preset."""
        return mel_preset(self.preset_name)

    def vocoder(self) -> Vocoder:
        """The vocoder, loaded once per process."""
        key = f"{self.options.model_dump_json()} {self.preset_name} {self.level_db}"
        if key not in _vocoders:
            _vocoders[key] = load_vocoder(self.options, self.preset_name, fetch_files, self.level_db)
        return _vocoders[key]

    def voiced(self, mel: torch.Tensor) -> torch.Tensor:
        """Samples (1, N) of a mel (1, F, n_mels), on the device of the mel where the vocoder has weights to move."""
        vocoder = self.vocoder()
        if isinstance(vocoder, NetworkVocoder):
            vocoder.generator.to(mel.device)
        return vocoder(mel)

    def sound(self, spoken: Spoken) -> Samples:
        """The samples (N,) of one spoken utterance: the model's own, or the vocoder's."""
        samples = self.voiced(spoken.mel) if spoken.samples is None else spoken.samples
        array: Samples = samples[0].cpu().numpy()
        return array


def as_batch(tokens: npt.ArrayLike) -> tuple[torch.Tensor, torch.Tensor]:
    """Token numbers (T,) as a batch of one: (1, T) and its length (1,)."""
    batch = torch.from_numpy(np.array(tokens, dtype=np.int64))[None]
    return batch, torch.tensor([batch.shape[1]])


def spoken_mel(system: System, id_: str, durations: npt.ArrayLike | None = None, **how: Any) -> npt.NDArray[np.float32]:
    """The mel (F, n_mels) of an utterance: everything predicted but the durations (T,), if they are given.

    how: what else the model's `infer` is told.
    """
    return mel_of(system.model(), system, id_, durations, **how)


def mel_of(
    model: Any, system: System, id_: str, durations: npt.ArrayLike | None = None, **how: Any
) -> npt.NDArray[np.float32]:
    """The same of any model that reads the system's tokens."""
    tokens, lengths = as_batch(system.encoded(system.tokens(id_)))
    given = {} if durations is None else {"durations": as_batch(durations)[0]}
    mel: npt.NDArray[np.float32] = model.infer(tokens, lengths, **given, **how).mel[0].numpy()
    return mel


def true_batch(system: System, ids: Sequence[str]) -> Batch:
    """Utterances as the system's training sees them: with their mels, durations, pitch and energy."""
    network = system.model().config.network
    return TtsDataset(system.artifact("features"), system.artifact("spoken"), network).batch(ids)


def with_true_variances(system: System, id_: str) -> npt.NDArray[np.float32]:
    """FastSpeech 2's mel (F, n_mels) with the recording's durations, pitch and energy."""
    batch = true_batch(system, [id_])
    with torch.inference_mode():
        mel: npt.NDArray[np.float32] = system.model()(batch.tokens, batch.token_lengths, batch.variances).mel[0].numpy()
    return mel
