"""FastSpeech 2s: phonemes to samples in one parallel pass (Ren et al., ICLR 2021, section 2.5).

    encoder -> variance adaptor of a FastSpeech 2 -> waveform decoder

The mel decoder is trained beside the waveform decoder, because its loss teaches the encoder about text; speaking
leaves it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from speechkd.models.tts.adaptor import Adapted, Variances
from speechkd.models.tts.fastspeech2 import FastSpeech2, Prediction
from speechkd.models.tts.fastspeech2s_config import FastSpeech2sConfig
from speechkd.models.tts.interface import Spoken
from speechkd.models.tts.waveform import Excitation, WaveformDecoder, take_slices


@dataclass
class Places:
    """Which slices of a batch are turned into samples: S slices of `n_frames` frames, none of them over padding."""

    rows: Tensor  # (S,) int64, the utterance
    starts: Tensor  # (S,) int64, the first frame
    n_frames: int


class FastSpeech2s(nn.Module):
    """The model; `config` rebuilds it."""

    kind: ClassVar[str] = "fastspeech2s"
    takes_durations: ClassVar[bool] = True
    makes_samples: ClassVar[bool] = True

    def __init__(self, config: FastSpeech2sConfig) -> None:
        super().__init__()
        self.config = config
        self.frozen = False
        self.trunk = FastSpeech2(config.trunk)
        self.waveform = WaveformDecoder(config.trunk.network.hidden, config.hop_samples, config.waveform)
        self.excitation = None
        if config.waveform.excitation == "harmonic":
            self.excitation = Excitation(config.hop_samples, config.sample_rate)

    @property
    def controls(self) -> frozenset[str]:
        """Those of the trunk."""
        return self.trunk.controls

    def freeze_trunk(self) -> None:
        """From now on the waveform decoder learns alone; the trunk has no gradients and no dropout."""
        self.frozen = True
        self.trunk.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> FastSpeech2s:
        """As for every module; a frozen trunk stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def forward(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        variances: Variances,
        speakers: Tensor | None,
        places: Places,
    ) -> tuple[Prediction | None, Tensor]:
        """Teacher-forced pass for training: the mels of whole utterances, the samples (S, n_frames * hop) of slices.

        tokens: (B, T) int64, token_lengths: (B,), speakers: (B,). A frozen trunk makes no mels.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            adapted = self.trunk.adapt(tokens, token_lengths, variances, speakers)
        states, *contour = (
            take_slices(part, places.rows, places.starts, places.n_frames)
            for part in (adapted.states, *self._contour(adapted))
        )
        samples = self.waveform(states, excitation=self._excited(contour))
        return None if self.frozen else self.trunk.predict(adapted), samples

    @torch.inference_mode()
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
        """Speak: see `AcousticModel.infer`. There are samples (B, F * hop) and no mel."""
        adapted = self.trunk.adapt_freely(tokens, token_lengths, speakers, durations, speed, pitch_semitones, energy)
        samples = self.waveform(adapted.states, adapted.mask, self._excited(self._contour(adapted)))
        return Spoken(
            mel=samples.new_zeros(len(tokens), 0, self.config.n_mels),
            mel_lengths=adapted.lengths,
            durations=adapted.durations,
            samples=samples,
            f0_hz=None if adapted.pitch is None else adapted.pitch.f0_hz,
            log_durations=adapted.log_durations,
        )

    def _contour(self, adapted: Adapted) -> tuple[Tensor, ...]:
        """F0 and voicing of the frames (B, F), if the waveform decoder wants them."""
        if self.excitation is None:
            return ()
        assert adapted.pitch is not None
        return adapted.pitch.f0_hz, adapted.pitch.voiced

    def _excited(self, contour: Sequence[Tensor]) -> Tensor | None:
        return None if self.excitation is None else self.excitation(*contour)
