"""FastSpeech 2: phonemes to mel in one parallel pass (Ren et al., ICLR 2021, arXiv 2006.04558).

    encoder -> duration predictor -> length regulator -> pitch, energy -> mel decoder

The pitch and energy predictors see the bare expanded states; their quantised embeddings are added afterwards:
h' = h + E_pitch(bin(F0)) + E_energy(bin(energy)).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from speechkd.models.common.fft import FftStack, VariancePredictor
from speechkd.models.common.masks import length_mask
from speechkd.models.tts.config import FastSpeech2Config
from speechkd.models.tts.regulator import expand, round_half_up
from speechkd.models.tts.variance import EnergyAdaptor, EnergyPrediction, PitchAdaptor, PitchPrediction


@dataclass
class Variances:
    """What training gives the model; P is the number of frames or of tokens, by the level of each feature."""

    durations: Tensor  # (B, T) int64, frames per token
    pitch_hz: Tensor  # (B, P) continuous F0, interpolated over unvoiced positions
    voiced: Tensor  # (B, P) bool
    energy: Tensor  # (B, P)


@dataclass
class Prediction:
    """Output of one pass; everything is zero or meaningless past the lengths."""

    mel: Tensor  # (B, F, n_mels) natural log
    mel_lengths: Tensor  # (B,)
    durations: Tensor  # (B, T) int64, as used by the length regulator
    log_durations: Tensor  # (B, T) predicted log(d + 1)
    pitch: PitchPrediction
    energy: EnergyPrediction


class FastSpeech2(nn.Module):
    """The acoustic model; `config` rebuilds it."""

    def __init__(self, config: FastSpeech2Config) -> None:
        super().__init__()
        self.config = config
        net, stats = config.network, config.statistics
        self.embedding = nn.Embedding(config.n_symbols, net.hidden, padding_idx=0)
        self.encoder = FftStack(net.hidden, net.encoder)
        self.duration_predictor = VariancePredictor(net.hidden, net.predictor, 1)
        self.pitch = PitchAdaptor(
            net.hidden, net.predictor, net.pitch,
            (stats.f0_min_hz, stats.f0_max_hz), (stats.log_f0_mean, stats.log_f0_deviation),
        )  # fmt: skip
        self.energy = EnergyAdaptor(
            net.hidden, net.predictor, net.energy,
            (stats.energy_min, stats.energy_max), (stats.energy_mean, stats.energy_deviation),
        )  # fmt: skip
        self.decoder = FftStack(net.hidden, net.decoder)
        self.mel_project = nn.Linear(net.hidden, config.n_mels)
        # Not learned: they only bring the output layer to the scale of log mels.
        self.register_buffer("mel_mean", torch.tensor(stats.mel_mean), persistent=False)
        self.register_buffer("mel_deviation", torch.tensor(stats.mel_deviation), persistent=False)
        may_pause = torch.zeros(config.n_symbols, dtype=torch.bool)
        may_pause[list(config.pause_ids)] = True
        self.register_buffer("may_pause", may_pause, persistent=False)

    def forward(self, tokens: Tensor, token_lengths: Tensor, variances: Variances) -> Prediction:
        """Teacher-forced pass for training. tokens: (B, T) int64, token_lengths: (B,)."""
        states, token_mask = self._encode(tokens, token_lengths)
        log_durations = self.duration_predictor(states, token_mask).squeeze(-1)
        return self._speak(states, token_mask, log_durations, variances.durations, variances)

    @torch.inference_mode()
    def infer(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        *,
        durations: Tensor | None = None,
        speed: float = 1.0,
        pitch_semitones: float = 0.0,
        energy: float = 1.0,
    ) -> Prediction:
        """Speak. tokens: (B, T) int64, token_lengths: (B,); durations: (B, T) frames, used as they are if given.

        speed divides predicted durations, pitch_semitones shifts F0, energy multiplies the frame energy.
        """
        states, token_mask = self._encode(tokens, token_lengths)
        log_durations = self.duration_predictor(states, token_mask).squeeze(-1)
        if durations is None:
            durations = self._durations(tokens, log_durations, token_mask, speed)
        controls = (2.0 ** (pitch_semitones / 12.0), energy)
        return self._speak(states, token_mask, log_durations, durations, None, controls)

    def _encode(self, tokens: Tensor, token_lengths: Tensor) -> tuple[Tensor, Tensor]:
        mask = length_mask(token_lengths, tokens.shape[1])
        return self.encoder(self.embedding(tokens), mask), mask

    def _durations(self, tokens: Tensor, log_durations: Tensor, mask: Tensor, speed: float) -> Tensor:
        frames = round_half_up((torch.exp(log_durations.float()) - 1.0).clamp(min=0.0) / speed)
        least = (~self.may_pause[tokens]).long()  # type: ignore[index]
        return torch.maximum(frames, least) * mask

    def _speak(
        self,
        states: Tensor,
        token_mask: Tensor,
        log_durations: Tensor,
        durations: Tensor,
        variances: Variances | None,
        controls: tuple[float, float] = (1.0, 1.0),
    ) -> Prediction:
        lengths = durations.sum(dim=1)
        frame_mask = length_mask(lengths)
        n_frames = frame_mask.shape[1]
        frames = expand(states, durations, n_frames)
        # Both predictors see the bare states, each at its own level.
        levels = {"phoneme": (states, token_mask), "frame": (frames, frame_mask)}
        pitch_true = (variances.pitch_hz, variances.voiced) if variances else None
        energy_true = variances.energy if variances else None
        pitch = self.pitch(*levels[self.pitch.level], pitch_true, controls[0])
        power = self.energy(*levels[self.energy.level], energy_true, controls[1])
        for level, embedded in ((self.pitch.level, pitch.embedded), (self.energy.level, power.embedded)):
            frames = frames + (embedded if level == "frame" else expand(embedded, durations, n_frames))
        decoded = self.mel_project(self.decoder(frames, frame_mask)).float()
        mel = decoded * self.mel_deviation + self.mel_mean
        mel = mel.masked_fill(~frame_mask.unsqueeze(-1), 0.0)
        return Prediction(mel, lengths, durations, log_durations, pitch, power)
