"""The lip reader: frames of a mouth to characters, as a policy too (Luo et al., FG 2020, arXiv 2003.03983).

front end -> bidirectional GRU -> GRU with attention
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from speechkd.models.common.masks import length_mask
from speechkd.models.lipreading.beam import beam_search
from speechkd.models.lipreading.characters import PAD, Characters
from speechkd.models.lipreading.config import LipReaderConfig
from speechkd.models.lipreading.decoder import Decoder, Memory
from speechkd.models.lipreading.encoder import CtcHead, Encoder
from speechkd.models.lipreading.front import front_end
from speechkd.models.lipreading.writing import Written, by_chance, most_probable, score, write


@dataclass(frozen=True)
class Prediction:
    """Output of one teacher-forced pass; meaningless past the lengths."""

    log_probs: Tensor  # (B, U, n_symbols) of each character given those before
    attention: Tensor  # (B, U, T) which frames each character was read from
    ctc: Tensor | None = None  # (B, T, n_symbols) log-probabilities per frame, from models that have this output


class LipReader(nn.Module):
    """The network; `config` rebuilds it.

    `dropout` says whether a pass drops features: yes in training mode and no in evaluation mode unless it is given. A
    text that was sampled without dropout has to be scored without it, else it is another policy's. Gradients on a GPU
    need training mode, because of cuDNN's recurrent layers; with `dropout=False` that changes nothing else once
    batch normalisation is frozen.
    """

    def __init__(self, config: LipReaderConfig) -> None:
        super().__init__()
        self.config = config
        self.characters = Characters(config.alphabet)
        net = config.network
        self.front = front_end(net.front)
        self.encoder = Encoder(self.front.size, net.encoder)
        self.decoder = Decoder(self.encoder.size, config.n_symbols, net.decoder)
        self.ctc = CtcHead(self.encoder.size, config.n_symbols) if net.ctc else None
        self._frozen = False

    def forward(self, frames: Tensor, lengths: Tensor, tokens: Tensor) -> Prediction:
        """Teacher-forced pass for training.

        frames: (B, T, H, W) grey values from 0 to 255, uint8 or float; lengths: (B,) frames; tokens: (B, U) int64 with
        `EOS`, then `PAD`.
        """
        memory = self.encode(frames, lengths)
        return replace(self.predict(memory, tokens), ctc=self.frame_log_probs(memory))

    def encode(self, frames: Tensor, lengths: Tensor, dropout: bool | None = None) -> Memory:
        """What the decoder looks at; see `forward` for the shapes."""
        mask = length_mask(lengths, frames.shape[1])
        states = self.encoder(self.front(frames, mask), lengths, self._drops(dropout))
        return self.decoder.remember(states, mask)

    def frame_log_probs(self, memory: Memory) -> Tensor | None:
        """CTC's log-probabilities (B, T, n_symbols) with `PAD` as the blank; None without this output."""
        return None if self.ctc is None else self.ctc(memory.states)

    def predict(self, memory: Memory, tokens: Tensor, dropout: bool | None = None) -> Prediction:
        """Teacher-forced pass over tokens (N, U): N / B texts for each of the memory's B clips, behind each other."""
        copies = memory.repeat(len(tokens) // len(memory))
        log_probs, attention = self.decoder(copies, tokens, self._drops(dropout))
        return Prediction(log_probs, attention)

    def greedy(self, memory: Memory, dropout: bool | None = None) -> Written:
        """The most probable character at every step, without gradient."""
        return write(self.decoder, memory, most_probable, self._longest, self._drops(dropout))

    def sample(
        self,
        memory: Memory,
        n_samples: int = 1,
        generator: torch.Generator | None = None,
        dropout: bool | None = None,
    ) -> Written:
        """Texts by chance without gradient: N = B * n_samples of them, those of a clip behind each other.

        The generator chooses characters, on the memory's device; what is dropped is drawn from torch's own.
        """
        copies = memory.repeat(n_samples)
        return write(self.decoder, copies, by_chance(generator), self._longest, self._drops(dropout))

    def score(self, memory: Memory, tokens: Tensor, lengths: Tensor, dropout: bool | None = None) -> Tensor:
        """Log-probabilities (N, U) of written tokens (N, U), zero past the lengths (N,): one pass, with gradient."""
        copies = memory.repeat(len(tokens) // len(memory))
        return score(self.decoder, copies, tokens, lengths, self._drops(dropout))

    def beam(self, memory: Memory, width: int = 5, length_penalty: float = 0.0) -> Written:
        """The best text of each clip by beam search without dropout and without gradient; see `beam_search`."""
        tokens = beam_search(self.decoder, memory, width, length_penalty, self._longest)
        lengths = (tokens != PAD).sum(dim=1)
        with torch.no_grad():
            return Written(tokens, lengths, self.score(memory, tokens, lengths, dropout=False))

    def freeze_batch_norm(self) -> None:
        """Use the statistics of batch normalisation from now on, in training mode too, and leave them as they are."""
        self._frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> LipReader:
        """Training or evaluation mode; batch normalisation stays as it is once frozen."""
        super().train(mode)
        if self._frozen:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    @property
    def _longest(self) -> int:
        return self.config.network.decoder.longest

    def _drops(self, dropout: bool | None) -> bool:
        return self.training if dropout is None else dropout
