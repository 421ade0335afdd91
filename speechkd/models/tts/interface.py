"""What every acoustic model offers, so that recipes, voices and measurements need not know which one they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor

#: What a voice can be told about its way of speaking.
CONTROLS = ("speed", "pitch", "energy")


@dataclass
class Spoken:
    """A spoken batch: B utterances of T tokens and F frames; meaningless past the lengths."""

    mel: Tensor  # (B, F, n_mels) natural log; models that make the waveform themselves may leave F at 0
    mel_lengths: Tensor  # (B,) frames
    durations: Tensor  # (B, T) int64, frames per token
    samples: Tensor | None = None  # (B, F * hop) the waveform, from models that need no vocoder
    f0_hz: Tensor | None = None  # (B, P) the pitch that was used, per frame or per token
    log_durations: Tensor | None = None  # (B, T) predicted log(d + 1), before rounding


def makes_samples(model: Any) -> bool:
    """Whether a model speaks without a vocoder: such a class says so by an attribute `makes_samples`."""
    return bool(getattr(model, "makes_samples", False))


def step_counts(model: Any) -> tuple[int, ...]:
    """The numbers of steps that a model can be told to speak in, rising; empty unless it has `step_counts`.

    Its `infer` then takes `n_steps`, one of them, and the `seed` of the noise that it starts from.
    """
    return tuple(getattr(model, "step_counts", ()))


class AcousticModel(Protocol):
    """Tokens to mel, or to samples. `config` has `n_symbols`, `n_mels` and `speakers`, and rebuilds the model."""

    kind: ClassVar[str]  # its name in `speechkd.models.tts.load`
    takes_durations: ClassVar[bool]  # whether it can be given the frames of every token
    config: Any

    @property
    def controls(self) -> frozenset[str]:
        """Those of `CONTROLS` that it obeys."""
        ...

    def infer(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        *,
        speakers: Tensor | None = None,
        durations: Tensor | None = None,
        speed: float = 1.0,
        pitch_semitones: float = 0.0,
        energy: float = 1.0,
    ) -> Spoken:
        """Speak tokens (B, T) of token_lengths (B,), in evaluation mode.

        speakers: (B,) places in `config.speakers`, the first one unless given; durations: (B, T) frames, used as they
        are. speed divides durations, pitch_semitones shifts F0, energy multiplies the frame energy.
        """
        ...
