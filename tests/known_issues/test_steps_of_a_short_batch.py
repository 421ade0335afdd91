"""The stop token of a decoder with several frames per step was learned at a wrong step where a batch was short."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from recipes.tts.common.dataset import Batch
from recipes.tts.transformer.config import LossSection
from recipes.tts.transformer.task import transformer_losses
from recipes.tts.transformer.train import dataset_of
from speechkd.models.tts.transformer import TransformerTts
from speechkd.models.tts.transformer_config import TransformerConfig
from tests.recipes.tts.features import N_MELS, SYMBOLS, write_features

FFT = {"layers": 1, "heads": 2, "conv_channels": 8, "conv_kernel": 3}
REDUCTION = 4


def short_batch(folder: Path, frames: list[int]) -> Batch:
    batch = dataset_of(*write_features(folder)).batch(["u0", "u1"])
    batch.mel_lengths, batch.mel = torch.tensor(frames), batch.mel[:, : max(frames)]
    return batch


@pytest.mark.parametrize("frames", [[9, 4], [5, 4], [16, 8]])
def test_each_utterance_stops_at_its_own_last_step(tmp_path: Path, frames: list[int]) -> None:
    batch = short_batch(tmp_path, frames)
    config = TransformerConfig.model_validate(
        {"network": {"hidden": 16, "encoder": FFT, "decoder": FFT, "reduction": REDUCTION, "prenet": {"channels": 8}},
         "n_symbols": 200, "n_mels": N_MELS, "mel_mean": [0.0] * N_MELS, "mel_deviation": [1.0] * N_MELS}
    )  # fmt: skip
    assert len(SYMBOLS) < config.n_symbols
    torch.manual_seed(0)
    model = TransformerTts(config).eval()
    with torch.inference_mode():
        output = model(batch.tokens, batch.token_lengths, batch.mel, batch.mel_lengths)
        found = transformer_losses(output, batch, LossSection(), 3.0)["stop"]
    terms = []
    for row, n_frames in enumerate(frames):
        n_steps = -(-n_frames // REDUCTION)
        logits = output.stop_logits[row, :n_steps]
        signs = torch.tensor([-1.0] * (n_steps - 1) + [1.0])
        terms.append(nn.functional.softplus(-signs * logits) * torch.where(signs > 0, 3.0, 1.0))
    assert float(found) == pytest.approx(float(torch.cat(terms).mean()), rel=1e-5)
