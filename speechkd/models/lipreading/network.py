"""A lip reader: front end, bidirectional GRU encoder, GRU decoder with attention (Luo et al., FG 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from speechkd.models.common.masks import length_mask
from speechkd.models.lipreading.config import LipReaderConfig
from speechkd.models.lipreading.decoder import Decoder, Masks, Memory
from speechkd.models.lipreading.frontend import build_frontend
from speechkd.models.lipreading.symbols import BOS, PAD, Characters


class LipReader(nn.Module):
    """Clips to characters."""

    def __init__(self, config: LipReaderConfig) -> None:
        super().__init__()
        self.config = config
        self.characters = Characters(config.alphabet)
        n_symbols, n_encoded = len(self.characters), 2 * config.encoder.hidden
        self.frontend = build_frontend(config.frontend)
        self.encoder = nn.GRU(
            config.frontend.features,
            config.encoder.hidden,
            config.encoder.layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.dropout if config.encoder.layers > 1 else 0.0,
        )
        self.decoder = Decoder(config.decoder, n_symbols, n_encoded, config.dropout)
        self.per_frame = nn.Linear(n_encoded, n_symbols) if config.ctc else None

    def encode(self, frames: Tensor, lengths: Tensor) -> Memory:
        """frames (B, T, H, W) uint8, lengths (B,) in frames -> what the decoder attends to.

        What stands in the padding is of no consequence.
        """
        mask = length_mask(lengths, frames.shape[1])
        crop = self.config.crop
        grey = (frames.float() / 255.0 - crop.mean) / crop.deviation
        if crop.shrink > 1:
            grey = F.avg_pool2d(grey, crop.shrink)
        features = self._dropped(self.frontend(grey * mask[:, :, None, None], mask))
        with torch.autocast(features.device.type, enabled=False):  # recurrent layers know no mixed precision
            packed = pack_padded_sequence(features.float(), lengths.cpu(), batch_first=True, enforce_sorted=False)
            encoded, _ = pad_packed_sequence(self.encoder(packed)[0], batch_first=True, total_length=frames.shape[1])
            return self.decoder.remember(self._dropped(encoded), mask)

    def _dropped(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.config.dropout, self.training)

    def score(self, memory: Memory, symbols: Tensor, masks: Masks | None = None) -> Tensor:
        """Logits (B, S, T, n_symbols) of every symbol of given sequences (B, S, T), each after those before it."""
        logits: Tensor = self.decoder(_before(symbols), memory, masks)[0]
        return logits

    def attend(self, memory: Memory, symbols: Tensor) -> tuple[Tensor, Tensor]:
        """log p (B, S, T) of every symbol of given sequences (B, S, T), and the attention (B, S, T, N) behind it."""
        logits, attention = self.decoder(_before(symbols), memory)
        return log_probability(logits, symbols), attention

    def frame_logits(self, memory: Memory) -> Tensor:
        """Logits (B, N, n_symbols) per frame, padding's number being the blank. Of models with `ctc` alone."""
        assert self.per_frame is not None
        logits: Tensor = self.per_frame(memory.values)
        return logits

    def forward(self, frames: Tensor, lengths: Tensor, symbols: Tensor) -> Tensor:
        """Teacher forcing of one text per clip: symbols (B, U) -> logits (B, U, n_symbols)."""
        memory = self.encode(frames, lengths)
        masks = self.decoder.masks(len(frames), 1)
        return self.score(memory, symbols[:, None], masks).squeeze(1)


def _before(symbols: Tensor) -> Tensor:
    return F.pad(symbols[..., :-1], (1, 0), value=BOS)


def writable(logits: Tensor) -> Tensor:
    """Logits (..., n_symbols) without those of padding and of the beginning, which nobody writes."""
    barred = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    barred[[PAD, BOS]] = True
    return logits.float().masked_fill(barred, float("-inf"))


def log_probability(logits: Tensor, symbols: Tensor) -> Tensor:
    """log p of symbols (...) under logits (..., n_symbols); 0 for padding."""
    logs = torch.log_softmax(writable(logits), dim=-1).gather(-1, symbols[..., None]).squeeze(-1)
    return torch.where(symbols == PAD, torch.zeros_like(logs), logs)
