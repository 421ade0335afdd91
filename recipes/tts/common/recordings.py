"""The samples behind the features, for slices of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recipes.tts.common.extract import load_speech
from speechkd.audio.presets import MelPreset
from speechkd.errors import DataError

# Decoding a recording anew costs milliseconds; a corpus of an hour fits as a whole.
CACHE_BYTES = 2**30


class Recordings:
    """Recordings at the rate and level of the features, the latest kept in memory as 16-bit samples."""

    def __init__(
        self, paths: Mapping[str, Path], n_frames: Mapping[str, int], preset: MelPreset, loudness_dbfs: float | None
    ) -> None:
        """n_frames: of the features of each utterance."""
        self.paths, self.n_frames, self.preset, self.loudness_dbfs = paths, n_frames, preset, loudness_dbfs
        mean_bytes = 2 * preset.hop_samples * sum(n_frames.values()) / max(1, len(n_frames))
        self._samples = lru_cache(maxsize=max(1, int(CACHE_BYTES / max(1.0, mean_bytes))))(self._read)

    def __reduce__(self) -> tuple[Any, ...]:
        """What is kept in memory stays behind: a worker decodes what it needs."""
        return Recordings, (self.paths, self.n_frames, self.preset, self.loudness_dbfs)

    def slice(self, id_: str, start: int, n_frames: int) -> Tensor:
        """The samples (n_frames * hop,) of frames start .. start + n_frames of an utterance.

        Raises DataError for a recording that is not as long as its features, IndexError for a slice past its end.
        """
        if start < 0 or start + n_frames > self.n_frames[id_]:
            raise IndexError(f"{id_} has {self.n_frames[id_]} frames, none from {start} to {start + n_frames}")
        hop = self.preset.hop_samples
        part = self._samples(id_)[start * hop : (start + n_frames) * hop]
        return torch.from_numpy(part.astype(np.float32) / 32767)

    def _read(self, id_: str) -> np.ndarray:
        samples = load_speech(self.paths[id_], self.preset, self.loudness_dbfs)
        expected = self.n_frames[id_] * self.preset.hop_samples
        if len(samples) != expected:
            why = f"{len(samples)} samples, the features are of {expected}"
            todo = "Run the stage extract again"
            raise DataError(
                "the recording is not what the features are of", where=str(self.paths[id_]), why=why, todo=todo
            )
        return np.round(np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
