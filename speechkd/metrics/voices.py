"""Which of several voices speaks, told by the long-term spectrum: Fisher's linear discriminants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError
from speechkd.metrics.cepstra import mel_cepstra

Array = npt.NDArray[np.float64]

# Part of the covariance that is put on its diagonal: a few utterances do not tell it exactly.
_SHRINKAGE = 0.05


def voice_features(log_mel: npt.ArrayLike) -> Array:
    """Mean and deviation over frames of the cepstra of a natural-log mel (F, n_mels): (26,)."""
    cepstra = mel_cepstra(log_mel)
    return np.concatenate([cepstra.mean(axis=0), cepstra.std(axis=0)])


@dataclass(frozen=True)
class VoiceClassifier:
    """Linear discriminants: Gaussian classes of one covariance, all as likely. K voices, D features."""

    voices: tuple[str, ...]
    weights: Array  # (K, D)
    bias: Array  # (K,)

    @classmethod
    def fitted(cls, features: npt.ArrayLike, voices: Sequence[str]) -> VoiceClassifier:
        """Learn from features (N, D) of N utterances and who speaks in each. Raises DataError for under two voices."""
        rows, said_by, names = np.asarray(features, dtype=np.float64), np.asarray(voices), sorted(set(voices))
        if len(names) < 2:
            raise DataError("one voice cannot be told from itself")
        means = np.stack([rows[said_by == name].mean(axis=0) for name in names])
        inner = rows - means[np.searchsorted(names, said_by)]
        covariance = inner.T @ inner / len(rows)
        spread = np.diag(np.diag(covariance)) + 1e-9 * np.eye(len(covariance))
        shrunk = (1.0 - _SHRINKAGE) * covariance + _SHRINKAGE * spread
        weights = np.linalg.solve(shrunk, means.T).T
        return cls(tuple(names), weights, -0.5 * np.sum(weights * means, axis=1))

    def who(self, features: npt.ArrayLike) -> str:
        """The likeliest voice of an utterance's features (D,)."""
        return self.voices[int(np.argmax(self.weights @ np.asarray(features, dtype=np.float64) + self.bias))]
