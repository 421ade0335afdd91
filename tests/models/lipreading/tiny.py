"""Lip readers small enough for exact arithmetic, with weights large enough to make a difference."""

from __future__ import annotations

import torch
from torch import Tensor

from speechkd.models.lipreading.config import (
    DecoderConfig,
    EncoderConfig,
    LipNetworkConfig,
    LipReaderConfig,
    PaperFrontConfig,
    SmallFrontConfig,
)
from speechkd.models.lipreading.reader import LipReader

SMALL = SmallFrontConfig(channels=3, rows=2, columns=2, size=10)
PAPER = PaperFrontConfig(channels=4, size=10)


def tiny(
    alphabet: str = "ab ",
    front: SmallFrontConfig | PaperFrontConfig = SMALL,
    *,
    longest: int = 8,
    ctc: bool = False,
    dropout: float = 0.3,
    spread: float = 0.6,
) -> LipReader:
    """A reader of 12 x 16 crops in evaluation mode; `spread` is added to its weights as noise."""
    network = LipNetworkConfig(
        front=front,
        encoder=EncoderConfig(layers=2, hidden=6, dropout=dropout),
        decoder=DecoderConfig(hidden=9, embedding=5, attention=7, dropout=dropout, longest=longest),
        ctc=ctc,
    )
    torch.manual_seed(5)
    model = LipReader(LipReaderConfig(network=network, alphabet=alphabet, crop_size=(12, 16))).eval()
    for parameter in [*model.encoder.parameters(), *model.decoder.parameters()]:
        parameter.data.add_(torch.randn_like(parameter), alpha=spread)
    return model


def clips(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random frames (B, T, 12, 16) and their lengths; what lies past a length is bright noise too."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(0, 256, (len(lengths), max(lengths), 12, 16), generator=generator, dtype=torch.uint8)
    return frames, torch.tensor(lengths)
