"""Feed-forward Transformer blocks: against torch's own attention, and blind to padding."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from speechkd.models.common.config import FftConfig, PredictorConfig
from speechkd.models.common.fft import (
    ConvFeedForward,
    FftBlock,
    FftStack,
    SelfAttention,
    VariancePredictor,
    positions,
)
from speechkd.models.common.masks import length_mask, masked_mean

FFT = FftConfig(layers=2, heads=2, conv_channels=24, conv_kernel=9, dropout=0.1)
PREDICTOR = PredictorConfig(layers=2, channels=12, kernel=3, dropout=0.5)
CHANNELS = 8
MODULES: dict[str, Callable[[], nn.Module]] = {
    "attention": lambda: SelfAttention(CHANNELS, 2),
    "convolutions": lambda: ConvFeedForward(CHANNELS, FFT),
    "block": lambda: FftBlock(CHANNELS, FFT),
    "stack": lambda: FftStack(CHANNELS, FFT),
    "predictor": lambda: VariancePredictor(CHANNELS, PREDICTOR, 3),
}


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return MODULES[name]().eval()


def padded_batch(filler: float) -> tuple[Tensor, Tensor]:
    """Three rows of 5, 11 and 3 steps; `filler` stands in the padding."""
    x = torch.randn(3, 11, CHANNELS, generator=torch.Generator().manual_seed(1))
    mask = length_mask(torch.tensor([5, 11, 3]))
    return x.masked_fill(~mask.unsqueeze(-1), filler), mask


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("filler", [0.0, 7.0])
def test_a_row_does_not_see_its_padding(name: str, filler: float) -> None:
    module = made(name)
    x, mask = padded_batch(filler)
    together = module(x, mask)
    for row, n in enumerate((5, 11, 3)):
        alone = module(x[row : row + 1, :n], mask[row : row + 1, :n])
        torch.testing.assert_close(together[row, :n], alone[0], atol=1e-5, rtol=0)


def test_a_predictor_is_zero_at_padding() -> None:
    x, mask = padded_batch(3.0)
    assert not made("predictor")(x, mask)[~mask].any()


def test_attention_is_torchs() -> None:
    ours = SelfAttention(CHANNELS, 2)
    theirs = nn.MultiheadAttention(CHANNELS, 2, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.project_in.weight)
        theirs.in_proj_bias.copy_(ours.project_in.bias)
        theirs.out_proj.load_state_dict(ours.project_out.state_dict())
    x, mask = padded_batch(0.0)
    expected, _ = theirs(x, x, x, key_padding_mask=~mask)
    torch.testing.assert_close(ours(x, mask), expected, atol=1e-5, rtol=1e-5)


def test_positions_are_those_of_vaswani() -> None:
    table = positions(50, 6, torch.zeros(1))
    for p in (0, 1, 13, 49):
        for i in range(3):
            angle = p / 10000 ** (2 * i / 6)
            assert table[p, 2 * i] == pytest.approx(math.sin(angle), abs=1e-5)
            assert table[p, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-5)


def test_a_block_with_kernels_of_one_is_torchs_encoder_layer() -> None:
    """Vaswani's layer, norms after the residuals, is the special case in which a convolution is a linear layer."""
    ours = FftBlock(CHANNELS, FFT.model_copy(update={"conv_kernel": 1})).eval()
    theirs = nn.TransformerEncoderLayer(CHANNELS, 2, 24, batch_first=True, norm_first=False).eval()
    own = ours.state_dict()
    names = {
        "self_attn.in_proj_": "attention.project_in.", "self_attn.out_proj.": "attention.project_out.",
        "linear1.": "feed_forward.expand.", "linear2.": "feed_forward.contract.",
        "norm1.": "attention_norm.", "norm2.": "feed_forward_norm.",
    }  # fmt: skip
    copied = {f"{a}{kind}": own[f"{b}{kind}"] for a, b in names.items() for kind in ("weight", "bias")}
    theirs.load_state_dict({name: value.squeeze(-1) for name, value in copied.items()})
    x, mask = padded_batch(0.0)
    expected = theirs(x, src_key_padding_mask=~mask)
    torch.testing.assert_close(ours(x, mask)[mask], expected[mask], atol=1e-5, rtol=1e-5)


def test_a_convolution_reaches_half_its_kernel() -> None:
    module = made("convolutions")
    x, mask = torch.zeros(1, 21, CHANNELS), torch.ones(1, 21, dtype=torch.bool)
    before = module(x, mask)
    x[0, 10] = 1.0
    changed = (module(x, mask) - before)[0].abs().sum(dim=-1) > 1e-7
    assert changed.nonzero().flatten().tolist() == list(range(6, 15))  # kernel 9, then kernel 1


def test_p7_a_mean_over_time_leaves_padding_out() -> None:
    values = torch.tensor([[[1.0], [3.0], [99.0]], [[2.0], [4.0], [9.0]]])
    mask = length_mask(torch.tensor([2, 3]))
    torch.testing.assert_close(masked_mean(values, mask), torch.tensor([[2.0], [5.0]]))


def test_masks() -> None:
    assert length_mask(torch.tensor([2, 0, 3])).tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 1]]
    assert length_mask(torch.tensor([1]), 3).tolist() == [[True, False, False]]
