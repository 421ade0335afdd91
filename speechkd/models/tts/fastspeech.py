"""FastSpeech: phonemes to mel in one parallel pass, taught by a slower model (Ren et al., NeurIPS 2019,
arXiv 1905.09263).

    encoder -> duration predictor -> length regulator -> mel decoder -> linear

Both stacks add a position code of their own: the decoder's counts frames, from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from speechkd.models.common.fft import FftStack, VariancePredictor
from speechkd.models.common.masks import length_mask
from speechkd.models.tts.encoding import TextEncoder
from speechkd.models.tts.fastspeech_config import FastSpeechConfig
from speechkd.models.tts.interface import Spoken
from speechkd.models.tts.regulator import at_least_one_frame, expand, regulate


@dataclass
class FastSpeechOutput:
    """Output of a training pass; zero past the lengths."""

    mel: Tensor  # (B, F, n_mels) natural log
    mel_lengths: Tensor  # (B,)
    log_durations: Tensor  # (B, T) predicted log(d + 1)


class FastSpeech(TextEncoder):
    """The acoustic model; `config` rebuilds it."""

    kind: ClassVar[str] = "fastspeech"
    controls: ClassVar[frozenset[str]] = frozenset({"speed"})
    takes_durations: ClassVar[bool] = True

    def __init__(self, config: FastSpeechConfig) -> None:
        super().__init__()
        self.config = config
        net = config.network
        self.embedding = nn.Embedding(config.n_symbols, net.hidden, padding_idx=0)
        self.encoder = FftStack(net.hidden, net.encoder)
        self.speaker_embedding = nn.Embedding(len(config.speakers), net.hidden) if len(config.speakers) > 1 else None
        self.duration_predictor = VariancePredictor(net.hidden, net.predictor, 1)
        self.decoder = FftStack(net.hidden, net.decoder)
        self.mel_project = nn.Linear(net.hidden, config.n_mels)
        # Not learned: they only bring the output layer to the scale of log mels.
        self.register_buffer("mel_mean", torch.tensor(config.mel_mean), persistent=False)
        self.register_buffer("mel_deviation", torch.tensor(config.mel_deviation), persistent=False)
        between_words = torch.zeros(config.n_symbols, dtype=torch.bool)
        between_words[list(config.pause_ids)] = True
        self.register_buffer("between_words", between_words, persistent=False)

    def forward(
        self, tokens: Tensor, token_lengths: Tensor, durations: Tensor, speakers: Tensor | None = None
    ) -> FastSpeechOutput:
        """A training pass with the teacher's durations: the mel has their sum of frames.

        tokens, durations: (B, T) int64; token_lengths, speakers: (B,).
        """
        states, mask = self._encode(tokens, token_lengths, speakers)
        log_durations = self._log_durations(states, mask)
        mel, mel_lengths = self._decode(states, durations)
        return FastSpeechOutput(mel, mel_lengths, log_durations)

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
        breaks: Tensor | None = None,
    ) -> Spoken:
        """Speak: see `AcousticModel.infer`; of its controls only speed is obeyed, the others are not looked at.

        breaks: (B, T) frames of silence that are added to tokens between words, whatever the speed. Raises ValueError
        for a break within a word.
        """
        states, mask = self._encode(tokens, token_lengths, speakers)
        log_durations = self._log_durations(states, mask)
        if durations is None:
            durations = self._durations(log_durations, mask, 1.0 / speed)
        if breaks is not None:
            durations = durations + self._checked(breaks, tokens, mask)
        mel, mel_lengths = self._decode(states, durations)
        return Spoken(mel, mel_lengths, durations, log_durations=log_durations)

    def _log_durations(self, states: Tensor, mask: Tensor) -> Tensor:
        if self.config.network.detach_duration:
            states = states.detach()
        return self.duration_predictor(states, mask).squeeze(-1)

    def _durations(self, log_durations: Tensor, mask: Tensor, alpha: float) -> Tensor:
        real = torch.expm1(log_durations.float()).clamp(min=0.0)
        frames = regulate(real, alpha) * mask
        return at_least_one_frame(frames, real, mask)

    def _checked(self, breaks: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        allowed = self.between_words[tokens] & mask  # type: ignore[index]
        if bool((breaks < 0).any()) or bool(breaks.masked_select(~allowed).any()):
            raise ValueError("breaks are whole numbers from 0, and 0 at every token that is not between words")
        return breaks.long()

    def _decode(self, states: Tensor, durations: Tensor) -> tuple[Tensor, Tensor]:
        lengths = durations.sum(dim=1)
        mask = length_mask(lengths)
        decoded = self.mel_project(self.decoder(expand(states, durations, mask.shape[1]), mask)).float()
        mel = decoded * self.mel_deviation + self.mel_mean
        return mel.masked_fill(~mask.unsqueeze(-1), 0.0), lengths
