"""Transformer TTS: phonemes to mel, a frame after another (Li et al., AAAI 2019, arXiv 1809.08895).

    encoder -> decoder (own frames so far, attention to the encoder's states) -> mel frame, stop token

Here it is FastSpeech's teacher (Ren et al., NeurIPS 2019): convolutions instead of the position-wise feed-forward
layers, causal ones in the decoder; no post-net unless asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from speechkd.align.attention import choose_head, durations_from_attention, focus_rate
from speechkd.models.common.fft import FftBlock
from speechkd.models.common.masks import length_mask
from speechkd.models.tts.encoding import with_speaker
from speechkd.models.tts.interface import Spoken
from speechkd.models.tts.transformer_config import TransformerConfig
from speechkd.models.tts.transformer_layers import Decoder, PositionCode, Postnet
from speechkd.models.tts.transformer_window import Ending, Window


@dataclass
class TransformerOutput:
    """A teacher-forced pass: every step was given the recording's frame before it. S = ⌈F / reduction⌉ steps."""

    mel: Tensor  # (B, F, n_mels) natural log, zero past the lengths
    coarse: Tensor  # (B, F, n_mels) the mel before the post-net; the same without one
    stop_logits: Tensor  # (B, S) of the probability that the utterance ends with this step
    steps: Tensor  # (B,) of the S steps, those of each utterance
    attention: Tensor  # (B, L, H, F, T) to the tokens, of each layer's heads; zero at padding


@dataclass
class Generated:
    """One utterance, spoken freely. F is the number of frames until the stop token, or the most that were allowed."""

    mel: Tensor  # (1, F, n_mels) natural log
    coarse: Tensor  # (1, F, n_mels) the mel before the post-net, which the decoder was given back
    attention: Tensor  # (L, H, F, T)
    stopped: bool  # by its stop token


class TransformerTts(nn.Module):
    """The acoustic model; `config` rebuilds it."""

    kind: ClassVar[str] = "transformer"
    controls: ClassVar[frozenset[str]] = frozenset()
    takes_durations: ClassVar[bool] = False
    mel_mean: Tensor
    mel_deviation: Tensor

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        net = config.network
        learned = net.learned_position_scale
        self.embedding = nn.Embedding(config.n_symbols, net.hidden, padding_idx=0)
        self.token_position = PositionCode(net.hidden, learned, net.token_position_rate)
        self.encoder_dropout = nn.Dropout(net.encoder.dropout)
        self.encoder = nn.ModuleList(FftBlock(net.hidden, net.encoder) for _ in range(net.encoder.layers))
        self.speaker_embedding = nn.Embedding(len(config.speakers), net.hidden) if len(config.speakers) > 1 else None
        self.decoder = Decoder(config.n_mels, net.hidden, net.decoder, net.prenet, learned)
        self.mel_project = nn.Linear(net.hidden, config.n_mels * net.reduction)
        self.stop_project = nn.Linear(net.hidden, 1)
        self.postnet = Postnet(config.n_mels, net.postnet) if net.postnet.layers else None
        # Not learned: they bring log mels to the scale of the layers, and back.
        self.register_buffer("mel_mean", torch.tensor(config.mel_mean), persistent=False)
        self.register_buffer("mel_deviation", torch.tensor(config.mel_deviation), persistent=False)

    def forward(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        mel: Tensor,
        mel_lengths: Tensor,
        speakers: Tensor | None = None,
        *,
        seed: int = 0,
        clock: Tensor | None = None,
    ) -> TransformerOutput:
        """Teacher-forced pass. tokens: (B, T) int64, mel: (B, F, n_mels), lengths and speakers: (B,).

        In evaluation the prenet drops what `generate` with this seed drops, the same in every row: on its own output
        the pass repeats what was generated. clock: (B, 2), where the decoder's position code starts and how fast
        it runs, if not from 0 by 1: who cannot trust it must listen.
        """
        text, token_mask = self._encode(tokens, token_lengths, speakers)
        frames = self._frames_before(mel)
        gates = self.decoder.prenet.gates(frames.shape[1], seed, frames)
        hidden, attention = self.decoder(frames, self.decoder.read(text, token_mask), gates, clock=clock)
        mask = length_mask(mel_lengths, mel.shape[1])
        normalised = self._frames(hidden)[:, : mel.shape[1]]
        coarse = self._natural(normalised, mask)
        corrected = coarse if self.postnet is None else self._natural(self._corrected(normalised, mask), mask)
        attention = self._per_frame(attention, mel.shape[1]) * mask[:, None, None, :, None]
        steps = -(-mel_lengths // self.config.network.reduction)
        stop_logits = self.stop_project(hidden).squeeze(-1).float()
        return TransformerOutput(corrected, coarse, stop_logits, steps, attention)

    @torch.inference_mode()
    def generate(
        self,
        tokens: Tensor,
        speakers: Tensor | None = None,
        *,
        max_frames: int | None = None,
        cache: bool = True,
        seed: int = 0,
    ) -> Generated:
        """Speak one text, in evaluation mode. tokens: (1, T) int64, speakers: (1,).

        max_frames: where it ends at the latest, `network.stop` unless given. cache: keep what was computed for earlier
        steps; without, all of it is computed again at each step, with the same result. seed: of the prenet's dropout.
        """
        network = self.config.network
        limit = network.stop.limit(tokens.shape[1]) if max_frames is None else max_frames
        if len(tokens) != 1 or limit < 1:
            raise ValueError(f"one text and at least one frame, not {len(tokens)} texts and {limit} frames")
        text, mask = self._encode(tokens, torch.tensor([tokens.shape[1]], device=tokens.device), speakers)
        n_steps = -(-limit // network.reduction)
        held = network.window
        window = None if held is None else Window(held, network.decoder.layers, tokens.shape[1], tokens.device)
        next_step = self._next_step(text, mask, n_steps, cache, seed, window)
        groups, rows, stopped = self._speak(next_step, n_steps, Ending(network.stop, window))
        normalised = torch.cat(groups, dim=1)[:, :limit]
        valid = normalised.new_ones(1, normalised.shape[1], dtype=torch.bool)
        attention = self._per_frame(torch.cat(rows, dim=3), normalised.shape[1])[0]
        corrected = self._corrected(normalised, valid)
        return Generated(self._natural(corrected, valid), self._natural(normalised, valid), attention, stopped)

    def _speak(
        self, next_step: Callable[[Tensor], tuple[Tensor, Tensor]], n_steps: int, ending: Ending
    ) -> tuple[list[Tensor], list[Tensor], bool]:
        """Steps until the stop token: their frames, normalised, and rows of attention; and whether it came."""
        groups, rows = [], []
        frame = self.mel_mean.new_zeros(1, 1, self.config.n_mels)
        for _ in range(n_steps):
            hidden, row = next_step(frame)
            groups.append(self._frames(hidden))
            rows.append(row)
            frame = groups[-1][:, -1:]
            if ending.ends(float(self.stop_project(hidden))):
                return groups, rows, True
        return groups, rows, False

    def _next_step(
        self, text: Tensor, mask: Tensor, n_steps: int, cache: bool, seed: int, window: Window | None
    ) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """A function from the last frame (1, 1, n_mels) to the next step's state (1, 1, C) and attention row."""
        decoder, memories = self.decoder, self.decoder.read(text, mask)
        gates = decoder.prenet.gates(n_steps, seed, text)
        states = decoder.states(n_steps, memories) if cache else None
        frames: list[Tensor] = []

        def step(frame: Tensor) -> tuple[Tensor, Tensor]:
            frames.append(frame)
            # With a cache only the last step is computed, else all steps so far are.
            end, start = len(frames), len(frames) - 1 if cache else 0
            now = None if gates is None else gates[start:end]
            allowed = None if window is None else window.open(last_only=cache)
            hidden, attention = decoder(torch.cat(frames[start:], dim=1), memories, now, states, allowed)
            if window is not None:
                window.move(attention[:, :, :, -1:])
            return hidden[:, -1:], attention[:, :, :, -1:]

        return step

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
        """Speak, each text by itself: see `AcousticModel.infer`. It obeys no control and takes no durations.

        Those that are returned are counted from the attention of `config.head` (FastSpeech, section 3.3).
        """
        mels, counts = [], []
        for row, length in enumerate(token_lengths.tolist()):
            speaker = None if speakers is None else speakers[row : row + 1]
            spoken = self.generate(tokens[row : row + 1, :length], speaker)
            mels.append(spoken.mel[0])
            counts.append(self.durations(spoken.attention).to(tokens.device))
        lengths = torch.tensor([len(mel) for mel in mels], device=tokens.device)
        pad = torch.nn.utils.rnn.pad_sequence
        padded = tokens.new_zeros(tokens.shape)
        for row, count in enumerate(counts):
            padded[row, : len(count)] = count
        return Spoken(pad(mels, batch_first=True), lengths, padded)

    def durations(self, attention: Tensor) -> Tensor:
        """Frames per token (T,), with sum F, out of one utterance's attention (L, H, F, T), by the model's head."""
        weights = attention.float().cpu().numpy()
        layer, head = self.config.head or (-1, -1)
        if self.config.head is None:
            best = choose_head([focus_rate(weights)])
            layer, head = best.layer, best.head
        return torch.from_numpy(durations_from_attention(weights[layer, head]))

    def _encode(self, tokens: Tensor, token_lengths: Tensor, speakers: Tensor | None) -> tuple[Tensor, Tensor]:
        mask = length_mask(token_lengths, tokens.shape[1])
        states = self.encoder_dropout(self.token_position(self.embedding(tokens)))
        for block in self.encoder:
            states = block(states, mask)
        return with_speaker(states, self.speaker_embedding, token_lengths, speakers), mask

    def _frames_before(self, mel: Tensor) -> Tensor:
        """The normalised frame before each step, zeros before the first: (B, F, n_mels) -> (B, S, n_mels)."""
        reduction = self.config.network.reduction
        normalised = (mel - self.mel_mean) / self.mel_deviation
        before = normalised[:, reduction - 1 : -1 : reduction]
        return torch.cat([before.new_zeros(len(mel), 1, mel.shape[2]), before], dim=1)

    def _frames(self, hidden: Tensor) -> Tensor:
        """Normalised frames of steps: (B, S, C) -> (B, S · reduction, n_mels)."""
        return self.mel_project(hidden).float().reshape(len(hidden), -1, self.config.n_mels)

    def _corrected(self, normalised: Tensor, mask: Tensor) -> Tensor:
        """Normalised frames (B, F, n_mels) with the post-net's correction, if there is one."""
        return normalised if self.postnet is None else normalised + self.postnet(normalised, mask).float()

    def _natural(self, normalised: Tensor, mask: Tensor) -> Tensor:
        """Normalised frames as log mels, zero at padding."""
        return (normalised * self.mel_deviation + self.mel_mean).masked_fill(~mask.unsqueeze(-1), 0.0)

    def _per_frame(self, attention: Tensor, n_frames: int) -> Tensor:
        """Rows of steps (…, S, T) repeated for the frames of each: (…, F, T). The last step may have fewer."""
        return attention.repeat_interleave(self.config.network.reduction, dim=-2)[..., :n_frames, :]
