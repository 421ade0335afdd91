"""The layout for export computes what the trained modules compute."""

from __future__ import annotations

import pytest
import torch

from speechkd.errors import ConfigError
from speechkd.models.common.config import FftConfig
from speechkd.models.common.fft import FftStack
from speechkd.synthesis.export.acoustic import split_model
from speechkd.synthesis.export.blocks import Stack, no_padding
from tests.models.tts.tiny_transformer import tiny
from tests.synthesis.tiny import fastspeech2


@pytest.mark.parametrize(("kernel", "second", "heads"), [(5, 1, 2), (3, 3, 1), (1, 1, 4)])
def test_a_stack_without_a_mask_is_the_stack(kernel: int, second: int, heads: int) -> None:
    torch.manual_seed(0)
    config = FftConfig(layers=2, heads=heads, conv_channels=12, conv_kernel=kernel, second_kernel=second)
    original = FftStack(16, config).eval()
    laid_out = Stack(original).eval()
    for length in (1, 2, 19):
        x = torch.randn(1, length, 16)
        torch.testing.assert_close(laid_out(x), original(x, no_padding(x)), atol=1e-5, rtol=1e-5)


def levels() -> list[tuple[dict, dict, bool]]:
    token, frame, none = {"target": "f0", "level": "phoneme"}, {"target": "cwt"}, {"target": "none"}
    by_token, by_frame, silent = {"level": "phoneme"}, {"level": "frame"}, {"target": "none"}
    return [
        (token, by_token, False), (token, by_token, True), (token, by_frame, False), (token, by_frame, True),
        (frame, by_frame, True), (frame, by_token, False), ({"target": "f0"}, by_frame, False), (none, by_token, False),
        (frame, silent, False), (none, silent, False),
    ]  # fmt: skip


@pytest.mark.parametrize(("pitch", "energy", "sees"), levels())
def test_the_two_halves_are_the_model(pitch: dict, energy: dict, sees: bool) -> None:
    torch.manual_seed(3)
    model = fastspeech2(pitch, energy, sees, speakers=("ann", "ben"))
    halves = split_model(model)
    tokens, length = torch.randint(1, 79, (1, 14)), torch.tensor([14])
    factors = {"pitch_factor": torch.tensor(2.0 ** (3.0 / 12.0)), "energy_factor": torch.tensor(0.7)}
    with torch.no_grad():
        speaker = torch.tensor([1])
        spoken = model.infer(tokens, length, speakers=speaker, pitch_semitones=3.0, energy=0.7)
        made = halves.encoder(tokens, speaker, *factors.values())
        known = factors | dict(zip(halves.encoder_outputs, made, strict=True))
        known["token_of_frame"] = torch.repeat_interleave(torch.arange(14), spoken.durations[0])
        mel = halves.decoder(*(known[name] for name in halves.decoder_inputs))
    torch.testing.assert_close(known["log_durations"], spoken.log_durations, atol=1e-5, rtol=1e-5)
    assert mel.shape == spoken.mel.shape
    torch.testing.assert_close(mel, spoken.mel, atol=1e-4, rtol=1e-4)
    assert set(halves.controls) == set(model.controls)


def test_a_model_of_one_frame_after_the_other_has_no_onnx_form() -> None:
    with pytest.raises(ConfigError, match="transformer model has no onnx form"):
        split_model(tiny())
