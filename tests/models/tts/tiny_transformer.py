"""Small Transformer TTS models for tests."""

from __future__ import annotations

from typing import Any

import torch

from speechkd.models.tts.transformer import TransformerTts
from speechkd.models.tts.transformer_config import TransformerConfig

N_MELS, N_SYMBOLS = 8, 20
FFT: dict[str, Any] = {"layers": 2, "heads": 2, "conv_channels": 40, "conv_kernel": 3, "second_kernel": 3}


def tiny(seed: int = 0, *, stops: bool | None = None, speakers: tuple[str, ...] = (), **network: Any) -> TransformerTts:
    """A model with random weights, in evaluation mode. stops: at once, never, or (None) as its weights will have it."""
    torch.manual_seed(seed)
    sizes = {"hidden": 32, "encoder": FFT, "decoder": FFT, "prenet": {"layers": 3, "channels": 24}} | network
    config = TransformerConfig.model_validate(
        {
            "network": sizes,
            "n_symbols": N_SYMBOLS,
            "n_mels": N_MELS,
            "speakers": speakers,
            "mel_mean": [-5.0 + 0.1 * band for band in range(N_MELS)],
            "mel_deviation": [1.5] * N_MELS,
        }
    )
    model = TransformerTts(config).eval()
    if stops is not None:
        with torch.no_grad():
            model.stop_project.weight.zero_()
            model.stop_project.bias.fill_(50.0 if stops else -50.0)
    return model


def text(length: int, seed: int = 0) -> torch.Tensor:
    """Random tokens (1, length)."""
    return torch.randint(1, N_SYMBOLS, (1, length), generator=torch.Generator().manual_seed(seed))


def mels(*lengths: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random mels padded with what must not matter, (B, F, N_MELS), and their lengths."""
    mel = torch.randn(len(lengths), max(lengths), N_MELS, generator=torch.Generator().manual_seed(seed)) - 5.0
    for row, length in enumerate(lengths):
        mel[row, length:] = 1e3
    return mel, torch.tensor(lengths)
