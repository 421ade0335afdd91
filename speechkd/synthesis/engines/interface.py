"""What a voice needs of whatever runs its networks. Arrays in and out are numpy's: no engine shows through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

EngineName = Literal["torch", "onnx"]
ENGINES: tuple[EngineName, ...] = ("onnx", "torch")
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Delivery:
    """How the acoustic model is to say an utterance of T tokens.

    `speed` divides durations, and so does `rates` (T,), token by token, if it is there. `pitch` is in semitones,
    `energy` is a factor.
    """

    speaker: int = 0  # place in the voice's speakers
    speed: float = 1.0
    pitch: float = 0.0
    energy: float = 1.0
    steps: int | None = None  # of a model with `step_counts`; None: all of its own
    rates: tuple[float, ...] = ()

    def speeds(self, n_tokens: int) -> npt.NDArray[np.float64] | None:
        """The speed of each token (T,); None where all are 1."""
        speeds = np.full(n_tokens, self.speed) * (np.asarray(self.rates) if self.rates else 1.0)
        return None if np.all(speeds == 1.0) else speeds


@dataclass(frozen=True)
class Predicted:
    """What the acoustic model makes of T tokens: F frames."""

    n_frames: int

    durations: npt.NDArray[np.int64]  # (T,) frames per token
    mel: FloatArray | None  # (F, n_mels) natural log; None where the model makes samples
    samples: FloatArray | None = None  # (F * hop,)


class Engine(Protocol):
    """Runs the networks of one voice; any number of threads may call it at a time."""

    name: EngineName
    step_counts: tuple[int, ...]  # the numbers of steps that the acoustic model can speak in; empty if it has none
    controls: frozenset[str]  # those of "speed", "pitch", "energy" that the acoustic model obeys
    has_vocoder: bool  # or its acoustic model makes the samples
    shifts_pitch: bool  # whether the vocoder can say a mel at another pitch

    def seeded(self, seed: int) -> AbstractContextManager[None]:
        """A block in which everything drawn by chance follows from `seed`; chance outside of it is left alone."""
        ...

    def predict(self, numbers: Sequence[int], delivery: Delivery) -> Predicted:
        """From the numbers of an utterance's symbols to frames."""
        ...

    def vocode(self, mel: FloatArray, pitch: FloatArray | None = None) -> FloatArray | None:
        """mel (F, n_mels) to samples (F * hop,), not yet clipped; None where the voice has no vocoder.

        pitch (F,): factors on the pitch of the mel, where the vocoder `shifts_pitch`.
        """
        ...

    def vocode_early(
        self, mel: FloatArray, first_frames: int, pitch: FloatArray | None = None
    ) -> Iterator[FloatArray] | None:
        """The same in two pieces, of which the first is there early; in one where the vocoder needs the whole mel."""
        ...
