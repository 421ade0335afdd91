"""The parts that FastSpeech 2 shares with Hugging Face's FastSpeech 2 Conformer, with the same weights in both."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from recipes.tts.common.dataset import Batch
from recipes.tts.fastspeech2.task import fastspeech2_losses
from speechkd.features.logarithm import hz_of_log
from speechkd.features.statistics import Statistics
from speechkd.models.common.config import FftConfig, PredictorConfig
from speechkd.models.common.fft import ConvFeedForward, SelfAttention, VariancePredictor
from speechkd.models.common.masks import length_mask
from speechkd.models.tts.adaptor import Variances
from speechkd.models.tts.fastspeech2 import Prediction
from speechkd.models.tts.regulator import expand
from speechkd.models.tts.variance import EnergyPrediction, PitchPrediction

theirs = pytest.importorskip("transformers.models.fastspeech2_conformer.modeling_fastspeech2_conformer")

CHANNELS, MELS = 12, 5


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(7)


def their_config(**changes: Any) -> Any:
    settings = {"hidden_size": CHANNELS, "duration_predictor_channels": 9, "duration_predictor_layers": 3}
    return theirs.FastSpeech2ConformerConfig(**(settings | changes))


def test_the_length_regulator_is_theirs() -> None:
    states = torch.randn(3, 6, CHANNELS)
    durations = torch.tensor([[2, 0, 3, 1, 0, 0], [1, 1, 1, 1, 4, 2], [5, 0, 0, 2, 1, 0]])
    expected = theirs.length_regulator(states, durations.clone())
    mask = length_mask(durations.sum(dim=1)).unsqueeze(-1)
    torch.testing.assert_close(expand(states, durations) * mask, expected, atol=0, rtol=0)


def copy_predictor(source: nn.Module, target: VariancePredictor) -> None:
    for layer, conv, norm in zip(source.conv_layers, target.convs, target.norms, strict=True):  # type: ignore[arg-type]
        conv.load_state_dict(layer.conv.state_dict())
        norm.load_state_dict(layer.layer_norm.state_dict())
    target.project.load_state_dict(source.linear.state_dict())  # type: ignore[union-attr]


def test_the_duration_predictor_is_theirs() -> None:
    other = theirs.FastSpeech2ConformerDurationPredictor(their_config()).eval()
    own = VariancePredictor(CHANNELS, PredictorConfig(layers=3, channels=9, kernel=3), 1).eval()
    copy_predictor(other, own)
    states, mask = torch.randn(2, 7, CHANNELS), torch.ones(2, 7, dtype=torch.bool)
    logarithms = own(states, mask).squeeze(-1)
    # In evaluation mode theirs answers in frames, rounded; in training mode in logarithms (with dropout).
    frames = torch.clamp(torch.round(logarithms.exp() - 1.0), min=0).long()
    assert frames.equal(other(states))
    for layer in other.conv_layers:
        layer.dropout.p = 0.0
    torch.testing.assert_close(logarithms, other.train()(states), atol=1e-6, rtol=1e-5)


def test_the_pitch_and_energy_predictor_is_theirs() -> None:
    other = theirs.FastSpeech2ConformerVariancePredictor(their_config(), 2, 9, 5, 0.5).eval()
    own = VariancePredictor(CHANNELS, PredictorConfig(layers=2, channels=9, kernel=5), 1).eval()
    copy_predictor(other, own)
    states, mask = torch.randn(2, 7, CHANNELS), torch.ones(2, 7, dtype=torch.bool)
    torch.testing.assert_close(own(states, mask), other(states), atol=1e-6, rtol=1e-5)


def test_the_convolutions_of_an_fft_block_are_theirs() -> None:
    config = their_config(positionwise_conv_kernel_size=3)
    other = theirs.FastSpeech2ConformerMultiLayeredConv1d(config, {"linear_units": 16, "dropout_rate": 0.0}).eval()
    own = ConvFeedForward(CHANNELS, FftConfig(conv_channels=16, conv_kernel=3, second_kernel=3)).eval()
    own.expand.load_state_dict(other.conv1.state_dict())
    own.contract.load_state_dict(other.conv2.state_dict())
    states = torch.randn(2, 7, CHANNELS)
    torch.testing.assert_close(own(states, torch.ones(2, 7, dtype=torch.bool)), other(states), atol=1e-6, rtol=1e-5)


def test_self_attention_is_torchs() -> None:
    other = nn.MultiheadAttention(CHANNELS, 2, batch_first=True).eval()
    own = SelfAttention(CHANNELS, 2).eval()
    own.project_in.load_state_dict({"weight": other.in_proj_weight, "bias": other.in_proj_bias})
    own.project_out.load_state_dict(other.out_proj.state_dict())
    states, mask = torch.randn(2, 7, CHANNELS), length_mask(torch.tensor([7, 4]))
    expected, _ = other(states, states, states, key_padding_mask=~mask, need_weights=False)
    torch.testing.assert_close(own(states, mask)[mask], expected[mask], atol=1e-6, rtol=1e-5)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape)


def test_the_loss_is_theirs() -> None:
    """Pitch and energy per token, all tokens with frames: there both mean the same by every term."""
    tokens, frames = torch.tensor([4, 2]), torch.tensor([9, 5])
    durations = torch.tensor([[2, 1, 3, 3], [1, 4, 0, 0]])
    statistics = Statistics(50.0, 500.0, 5.0, 0.3, 0.0, 90.0, 30.0, 7.0, (0.0,) * MELS, (1.0,) * MELS)
    mel, true_mel, log_d, pitch, energy = drawn(2, 9, MELS), drawn(2, 9, MELS), drawn(2, 4), drawn(2, 4), drawn(2, 4)
    true_pitch, true_energy = drawn(2, 4), drawn(2, 4)
    variances = Variances(
        durations, hz_of_log(true_pitch * 0.3 + 5.0), torch.ones(2, 4, dtype=torch.bool), true_energy * 7.0 + 30.0
    )
    nothing = torch.zeros(2, 4, CHANNELS)
    prediction = Prediction(
        mel, frames, durations, log_d,
        PitchPrediction(pitch.unsqueeze(-1), drawn(2, 4), None, variances.pitch_hz, variances.voiced, nothing),
        EnergyPrediction(energy, nothing),
    )  # fmt: skip
    batch = Batch(
        ["a", "b"], torch.ones(2, 4, dtype=torch.long), tokens, torch.zeros(2), true_mel, frames, variances,
        torch.zeros(2, 4, dtype=torch.bool), None, torch.zeros(2, 2),
    )  # fmt: skip
    own = sum(fastspeech2_losses(prediction, batch, statistics).values())
    loss = theirs.FastSpeech2ConformerLoss(their_config())
    expected = loss(
        None, mel, log_d, pitch.unsqueeze(-1), energy.unsqueeze(-1), true_mel, durations, true_pitch.unsqueeze(-1),
        true_energy.unsqueeze(-1), length_mask(tokens), length_mask(frames).unsqueeze(-1),
    )  # fmt: skip
    torch.testing.assert_close(own, expected, atol=1e-5, rtol=1e-5)
