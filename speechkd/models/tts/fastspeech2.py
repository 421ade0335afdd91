"""FastSpeech 2: phonemes to mel in one parallel pass (Ren et al., ICLR 2021, arXiv 2006.04558).

encoder and variance adaptor (`AdaptedEncoder`) -> mel decoder
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from speechkd.models.common.fft import FftStack
from speechkd.models.tts.adaptor import Adapted, AdaptedEncoder, Variances
from speechkd.models.tts.config import FastSpeech2Config
from speechkd.models.tts.interface import Spoken
from speechkd.models.tts.variance import EnergyPrediction, PitchPrediction


@dataclass
class Prediction:
    """Output of one training pass; everything is zero or meaningless past the lengths."""

    mel: Tensor  # (B, F, n_mels) natural log
    mel_lengths: Tensor  # (B,)
    durations: Tensor  # (B, T) int64, as used by the length regulator
    log_durations: Tensor  # (B, T) predicted log(d + 1)
    pitch: PitchPrediction | None
    energy: EnergyPrediction | None


class FastSpeech2(AdaptedEncoder):
    """The acoustic model; `config` rebuilds it."""

    kind: ClassVar[str] = "fastspeech2"
    takes_durations: ClassVar[bool] = True
    config: FastSpeech2Config

    def __init__(self, config: FastSpeech2Config) -> None:
        super().__init__(config)
        net, stats = config.network, config.statistics
        self.decoder = FftStack(net.hidden, net.decoder)
        self.mel_project = nn.Linear(net.hidden, config.n_mels)
        # Not learned: they only bring the output layer to the scale of log mels.
        self.register_buffer("mel_mean", torch.tensor(stats.mel_mean), persistent=False)
        self.register_buffer("mel_deviation", torch.tensor(stats.mel_deviation), persistent=False)

    def forward(
        self, tokens: Tensor, token_lengths: Tensor, variances: Variances, speakers: Tensor | None = None
    ) -> Prediction:
        """Teacher-forced pass for training. tokens: (B, T) int64, token_lengths: (B,), speakers: (B,)."""
        return self.predict(self.adapt(tokens, token_lengths, variances, speakers))

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
        """Speak: see `AcousticModel.infer`."""
        adapted = self.adapt_freely(tokens, token_lengths, speakers, durations, speed, pitch_semitones, energy)
        made = self.predict(adapted)
        f0_hz = None if made.pitch is None else made.pitch.f0_hz
        return Spoken(made.mel, made.mel_lengths, made.durations, f0_hz=f0_hz, log_durations=made.log_durations)

    def predict(self, adapted: Adapted) -> Prediction:
        """The mel of adapted states, with all that led to it."""
        return Prediction(
            self.decode(adapted),
            adapted.lengths,
            adapted.durations,
            adapted.log_durations,
            adapted.pitch,
            adapted.energy,
        )

    def decode(self, adapted: Adapted) -> Tensor:
        """The mel (B, F, n_mels) of adapted states, zero past the lengths."""
        decoded = self.mel_project(self.decoder(adapted.states, adapted.mask)).float()
        mel = decoded * self.mel_deviation + self.mel_mean
        return mel.masked_fill(~adapted.mask.unsqueeze(-1), 0.0)
