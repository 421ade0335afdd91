"""The first half of FastSpeech 2, on which several models are built: phonemes to states of frames.

    encoder -> duration predictor -> length regulator -> pitch, energy

The pitch and energy predictors see the bare expanded states; their quantised embeddings are added afterwards:
h' = h + E_pitch(bin(F0)) + E_energy(bin(energy)). Either may be left out (Ren et al., ICLR 2021, section 2.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from speechkd.models.common.fft import FftStack, VariancePredictor
from speechkd.models.common.masks import length_mask
from speechkd.models.tts.config import AdaptorConfig
from speechkd.models.tts.encoding import TextEncoder
from speechkd.models.tts.interface import CONTROLS
from speechkd.models.tts.regulator import expand, regulate
from speechkd.models.tts.variance import EnergyAdaptor, EnergyPrediction, PitchAdaptor, PitchPrediction


@dataclass
class Variances:
    """What training gives the model; P is the number of frames or of tokens, by the level of each feature."""

    durations: Tensor  # (B, T) int64, frames per token
    pitch_hz: Tensor  # (B, P) continuous F0, interpolated over unvoiced positions
    voiced: Tensor  # (B, P) bool
    energy: Tensor  # (B, P)
    own: Tensor | None = None  # (B,) bool, utterances that hear the pitch and energy that the model predicts instead


@dataclass
class Adapted:
    """The variance adaptor's output: what the mel decoder, or a waveform decoder, reads."""

    states: Tensor  # (B, F, C)
    mask: Tensor  # (B, F) True at real frames
    lengths: Tensor  # (B,) frames
    durations: Tensor  # (B, T) int64, as used by the length regulator
    log_durations: Tensor  # (B, T) predicted log(d + 1)
    pitch: PitchPrediction | None
    energy: EnergyPrediction | None


class AdaptedEncoder(TextEncoder):
    """Encoder and variance adaptor; models with a decoder are built on it."""

    def __init__(self, config: AdaptorConfig) -> None:
        super().__init__()
        self.config = config
        net, stats = config.network, config.statistics
        self.embedding = nn.Embedding(config.n_symbols, net.hidden, padding_idx=0)
        self.speaker_embedding = nn.Embedding(len(config.speakers), net.hidden) if len(config.speakers) > 1 else None
        self.encoder = FftStack(net.hidden, net.encoder)
        self.duration_predictor = VariancePredictor(net.hidden, net.predictor, 1)
        self.pitch = self.energy = None
        if net.pitch.target != "none":
            self.pitch = PitchAdaptor(
                net.hidden, net.predictor, net.pitch,
                (stats.f0_min_hz, stats.f0_max_hz), (stats.log_f0_mean, stats.log_f0_deviation),
            )  # fmt: skip
        if net.energy.target != "none":
            self.energy = EnergyAdaptor(
                net.hidden, net.predictor, net.energy,
                (stats.energy_min, stats.energy_max), (stats.energy_mean, stats.energy_deviation),
            )  # fmt: skip
        may_pause = torch.zeros(config.n_symbols, dtype=torch.bool)
        may_pause[list(config.pause_ids)] = True
        self.register_buffer("may_pause", may_pause, persistent=False)

    @property
    def controls(self) -> frozenset[str]:
        """Speed always, pitch and energy if the model has them."""
        absent = {"pitch": self.pitch is None, "energy": self.energy is None}
        return frozenset(name for name in CONTROLS if not absent.get(name))

    def adapt(
        self, tokens: Tensor, token_lengths: Tensor, variances: Variances, speakers: Tensor | None = None
    ) -> Adapted:
        """Everything before the decoder, with true durations, and true pitch and energy but where `own` says."""
        states, mask = self._encode(tokens, token_lengths, speakers)
        log_durations = self.duration_predictor(states, mask).squeeze(-1)
        return self._adapt(states, mask, log_durations, variances.durations, variances)

    def adapt_freely(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        speakers: Tensor | None = None,
        durations: Tensor | None = None,
        speed: float = 1.0,
        pitch_semitones: float = 0.0,
        energy: float = 1.0,
    ) -> Adapted:
        """Everything before the decoder, with what the model itself predicts. Arguments as in `infer`."""
        states, mask = self._encode(tokens, token_lengths, speakers)
        log_durations = self.duration_predictor(states, mask).squeeze(-1)
        if durations is None:
            durations = self.frames_of(tokens, log_durations, mask, speed)
        controls = (2.0 ** (pitch_semitones / 12.0), energy)
        return self._adapt(states, mask, log_durations, durations, None, controls)

    def frames_of(self, tokens: Tensor, log_durations: Tensor, mask: Tensor, speed: float = 1.0) -> Tensor:
        """Durations (B, T) in frames of predicted log(d + 1): none for a pause at most, one or more for a phone."""
        frames = regulate(torch.expm1(log_durations.float()).clamp(min=0.0), 1.0 / speed)
        least = (~self.may_pause[tokens]).long()  # type: ignore[index]
        return torch.maximum(frames, least) * mask

    def _adapt(
        self,
        states: Tensor,
        token_mask: Tensor,
        log_durations: Tensor,
        durations: Tensor,
        variances: Variances | None,
        controls: tuple[float, float] = (1.0, 1.0),
    ) -> Adapted:
        lengths = durations.sum(dim=1)
        frame_mask = length_mask(lengths)
        n_frames = frame_mask.shape[1]
        frames = expand(states, durations, n_frames)
        # Both predictors see the bare states, each at its own level, unless energy is to see the pitch.
        levels = {"phoneme": (states, token_mask), "frame": (frames, frame_mask)}
        pitch, energy = None, None
        own = variances.own if variances else None
        if self.pitch is not None:
            true = (variances.pitch_hz, variances.voiced) if variances else None
            pitch = self.pitch(*levels[self.pitch.level], true, controls[0], own)
            frames = frames + _per_frame(pitch.embedded, self.pitch.level, durations, n_frames)
        if self.energy is not None:
            seen, mask = levels[self.energy.level]
            if self.config.network.energy_sees_pitch and pitch is not None:
                seen = frames if self.energy.level == "frame" else states + pitch.embedded
            energy = self.energy(seen, mask, variances.energy if variances else None, controls[1], own)
            frames = frames + _per_frame(energy.embedded, self.energy.level, durations, n_frames)
        return Adapted(frames, frame_mask, lengths, durations, log_durations, pitch, energy)


def _per_frame(embedded: Tensor, level: str, durations: Tensor, n_frames: int) -> Tensor:
    return embedded if level == "frame" else expand(embedded, durations, n_frames)
