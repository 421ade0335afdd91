"""Acoustic models as two graphs: what comes before the durations, and what comes after.

    encoder: tokens (1, T), speaker (1,), pitch_factor, energy_factor -> states (1, T, C), log_durations (1, T)
    decoder: states, token_of_frame (F,), pitch_factor, energy_factor -> mel (1, F, n_mels), or samples (1, F * hop)

Pitch and energy per token belong to the encoder, those per frame to the decoder; where a model has one of each the
encoder also gives `embedded` (1, T, C), the embedding of the former, because the other predictor may not see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from speechkd.errors import ConfigError
from speechkd.models.tts.fastspeech import FastSpeech
from speechkd.models.tts.fastspeech2 import FastSpeech2
from speechkd.models.tts.fastspeech2s import FastSpeech2s
from speechkd.models.tts.variance import PitchPrediction
from speechkd.synthesis.export.blocks import Stack, linear, no_padding


@dataclass(frozen=True)
class AcousticGraphs:
    """The two halves of a model, with the names of what goes in and out, and what a voice must know about them."""

    encoder: nn.Module
    decoder: nn.Module
    encoder_outputs: tuple[str, ...]
    decoder_inputs: tuple[str, ...]
    decoder_output: str
    controls: tuple[str, ...]
    silent_ids: tuple[int, ...] | None


def split_model(model: Any) -> AcousticGraphs:
    """The halves of a FastSpeech, FastSpeech 2 or FastSpeech 2s. ConfigError for a model that is none of them."""
    if isinstance(model, FastSpeech):
        return _fastspeech(model)
    if isinstance(model, FastSpeech2):
        return _fastspeech2(model, MelOutput(model), "mel")
    if isinstance(model, FastSpeech2s):
        return _fastspeech2(model.trunk, SamplesOutput(model), "samples")
    kind = getattr(model, "kind", type(model).__name__)
    why = "only models that make all frames at once have one: fastspeech, fastspeech2, fastspeech2s"
    raise ConfigError(f"a {kind} model has no onnx form", why=why, todo="Speak with torch")


def _fastspeech(model: FastSpeech) -> AcousticGraphs:
    return AcousticGraphs(
        FastSpeechEncoder(model), FrameDecoder(MelOutput(model)), ("states", "log_durations"),
        ("states", "token_of_frame"), "mel", ("speed",), None,
    )  # fmt: skip


def _fastspeech2(model: FastSpeech2, output: nn.Module, made: str) -> AcousticGraphs:
    mixed = _mixed(model)
    outputs = ("states", "log_durations", *(["embedded"] if mixed else []))
    inputs = ("states", "token_of_frame", "pitch_factor", "energy_factor", *(["embedded"] if mixed else []))
    controls = tuple(sorted(model.controls))
    return AcousticGraphs(
        FastSpeech2Encoder(model), FastSpeech2Decoder(model, output), outputs, inputs, made, controls,
        model.config.pause_ids,
    )  # fmt: skip


def _mixed(model: FastSpeech2) -> bool:
    """Whether one of pitch and energy is per token and the other per frame."""
    return len({part.level for part in (model.pitch, model.energy) if part is not None}) == 2


class FastSpeechEncoder(nn.Module):
    """tokens (1, T), speaker (1,) -> states (1, T, C), log_durations (1, T)."""

    def __init__(self, model: FastSpeech | FastSpeech2) -> None:
        super().__init__()
        self.embedding, self.speaker_embedding = model.embedding, model.speaker_embedding
        self.encoder, self.duration_predictor = Stack(model.encoder), model.duration_predictor

    def forward(
        self, tokens: Tensor, speaker: Tensor, pitch_factor: Tensor, energy_factor: Tensor
    ) -> tuple[Tensor, ...]:
        """See the module's description; the factors are not looked at."""
        return self.encoded(tokens, speaker)

    def encoded(self, tokens: Tensor, speaker: Tensor) -> tuple[Tensor, Tensor]:
        """States and logarithmic durations."""
        states = self.encoder(self.embedding(tokens))
        if self.speaker_embedding is not None:
            states = states + self.speaker_embedding(speaker)[:, None, :]
        return states, self.duration_predictor(states, no_padding(states)).squeeze(-1)


class FastSpeech2Encoder(FastSpeechEncoder):
    """The same, with the pitch and energy that are predicted per token."""

    def __init__(self, model: FastSpeech2) -> None:
        super().__init__(model)
        self.pitch = _at(model.pitch, "phoneme")
        self.energy = _at(model.energy, "phoneme")
        self.apart = _mixed(model)
        self.energy_sees_pitch = model.config.network.energy_sees_pitch

    def forward(
        self, tokens: Tensor, speaker: Tensor, pitch_factor: Tensor, energy_factor: Tensor
    ) -> tuple[Tensor, ...]:
        """See the module's description."""
        states, log_durations = self.encoded(tokens, speaker)
        total, _ = _with_variances(
            states,
            torch.zeros_like(states) if self.apart else states,
            self.pitch,
            self.energy,
            pitch_factor,
            energy_factor,
            self.energy_sees_pitch,
        )
        return (states, log_durations, total) if self.apart else (total, log_durations)


class FrameDecoder(nn.Module):
    """states (1, T, C), token_of_frame (F,) -> what `output` makes of the states of the frames."""

    def __init__(self, output: nn.Module) -> None:
        super().__init__()
        self.output = output

    def forward(self, states: Tensor, token_of_frame: Tensor) -> Tensor:
        """See the class."""
        made: Tensor = self.output(states.index_select(1, token_of_frame), None)
        return made


class FastSpeech2Decoder(nn.Module):
    """The same, with the pitch and energy that are predicted per frame."""

    def __init__(self, model: FastSpeech2, output: nn.Module) -> None:
        super().__init__()
        self.pitch = _at(model.pitch, "frame")
        self.energy = _at(model.energy, "frame")
        self.energy_sees_pitch = model.config.network.energy_sees_pitch
        self.output = output

    def forward(
        self,
        states: Tensor,
        token_of_frame: Tensor,
        pitch_factor: Tensor,
        energy_factor: Tensor,
        embedded: Tensor | None = None,
    ) -> Tensor:
        """See the module's description."""
        frames = states.index_select(1, token_of_frame)
        total = frames if embedded is None else frames + embedded.index_select(1, token_of_frame)
        total, pitch = _with_variances(
            frames, total, self.pitch, self.energy, pitch_factor, energy_factor, self.energy_sees_pitch
        )
        made: Tensor = self.output(total, pitch)
        return made


class MelOutput(nn.Module):
    """Frame states (1, F, C) -> mel (1, F, n_mels)."""

    def __init__(self, model: FastSpeech | FastSpeech2) -> None:
        super().__init__()
        self.decoder, self.project = Stack(model.decoder), linear(model.mel_project)
        self.register_buffer("mean", model.get_buffer("mel_mean"))
        self.register_buffer("deviation", model.get_buffer("mel_deviation"))

    def forward(self, states: Tensor, pitch: PitchPrediction | None) -> Tensor:
        """See the class; the pitch is in the states already."""
        mel: Tensor = self.project(self.decoder(states)) * self.deviation + self.mean
        return mel


class SamplesOutput(nn.Module):
    """Frame states (1, F, C) -> samples (1, F * hop)."""

    def __init__(self, model: FastSpeech2s) -> None:
        super().__init__()
        self.waveform, self.excitation = model.waveform, model.excitation

    def forward(self, states: Tensor, pitch: PitchPrediction | None) -> Tensor:
        """See the class; pitch: of the frames, where the decoder has a harmonic excitation."""
        excitation = None
        if self.excitation is not None:
            assert pitch is not None
            excitation = self.excitation(pitch.f0_hz, pitch.voiced)
        samples: Tensor = self.waveform(states, excitation=excitation)
        return samples


def _at(part: Any, level: str) -> Any:
    return part if part is not None and part.level == level else None


def _with_variances(
    seen: Tensor,
    total: Tensor,
    pitch: Any,
    energy: Any,
    pitch_factor: Tensor,
    energy_factor: Tensor,
    energy_sees_pitch: bool,
) -> tuple[Tensor, PitchPrediction | None]:
    """`total` (1, P, C) and the embeddings of the pitch and energy that are predicted from `seen` (1, P, C).

    Beside them what was predicted of the pitch.
    """
    mask, predicted = no_padding(seen), None
    if pitch is not None:
        predicted = pitch(seen, mask, None, pitch_factor)
        total = total + predicted.embedded
    if energy is not None:
        total = total + energy(total if energy_sees_pitch else seen, mask, None, energy_factor).embedded
    return total, predicted
