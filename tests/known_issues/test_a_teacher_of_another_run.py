"""A process that made targets twice in one folder asked the first teacher again, after another had replaced it."""

from __future__ import annotations

from pathlib import Path

import torch

from recipes.tts.fastspeech.targets import teacher_in
from speechkd.distill.fingerprint import fingerprint
from speechkd.models.tts.load import save_model
from speechkd.models.tts.transformer import TransformerTts
from speechkd.models.tts.transformer_config import TransformerConfig

FFT = {"layers": 1, "heads": 2, "conv_channels": 8, "conv_kernel": 3}


def write_teacher(folder: Path, seed: int) -> TransformerTts:
    config = TransformerConfig.model_validate(
        {"network": {"hidden": 16, "encoder": FFT, "decoder": FFT}, "n_symbols": 5, "n_mels": 2,
         "mel_mean": [0.0, 0.0], "mel_deviation": [1.0, 1.0]}
    )  # fmt: skip
    torch.manual_seed(seed)
    model = TransformerTts(config)
    save_model(folder, model)
    return model


def test_a_new_teacher_in_the_same_folder_is_read(tmp_path: Path) -> None:
    first = write_teacher(tmp_path, 0)
    made_by = fingerprint(tmp_path)
    found = teacher_in(tmp_path, "cpu", made_by)
    assert torch.equal(found.embedding.weight, first.embedding.weight)
    assert teacher_in(tmp_path, "cpu", made_by) is found, "read once for all utterances"
    second = write_teacher(tmp_path, 1)
    assert not torch.equal(second.embedding.weight, first.embedding.weight)
    found = teacher_in(tmp_path, "cpu", fingerprint(tmp_path))
    assert torch.equal(found.embedding.weight, second.embedding.weight)
