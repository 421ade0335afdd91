"""The generator against a second, minimal forward pass; its sizes against the paper's."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from speechkd.models.vocoder.config import HIFIGAN_V1, HIFIGAN_V2, HIFIGAN_V3, HifiGanConfig
from speechkd.models.vocoder.hifigan import HifiGan

TINY1 = HifiGanConfig(
    resblock="1",
    n_mels=5,
    upsample_rates=(4, 2),
    upsample_kernel_sizes=(8, 4),
    upsample_initial_channel=8,
    resblock_kernel_sizes=(3, 5),
    resblock_dilation_sizes=((1, 3), (1, 2)),
)
TINY2 = TINY1.model_copy(update={"resblock": "2"})


def minimal_forward(state: dict, config: HifiGanConfig, mel: torch.Tensor) -> torch.Tensor:
    """HiFi-GAN written down from the paper's appendix with bare functions and a table of weights."""

    def conv(name, x, dilation=1):
        weight = state[f"{name}.weight"]
        return F.conv1d(
            x, weight, state[f"{name}.bias"], padding=(weight.shape[2] - 1) * dilation // 2, dilation=dilation
        )

    x = conv("conv_pre", mel)
    n_blocks = len(config.resblock_kernel_sizes)
    for i, rate in enumerate(config.upsample_rates):
        weight = state[f"ups.{i}.weight"]
        x = F.conv_transpose1d(
            F.leaky_relu(x, 0.1), weight, state[f"ups.{i}.bias"], stride=rate, padding=(weight.shape[2] - rate) // 2
        )
        outputs = []
        for j, dilations in enumerate(config.resblock_dilation_sizes):
            y, block = x, f"resblocks.{i * n_blocks + j}"
            for k, dilation in enumerate(dilations):
                if config.resblock == "1":
                    z = conv(f"{block}.convs1.{k}", F.leaky_relu(y, 0.1), dilation)
                    z = conv(f"{block}.convs2.{k}", F.leaky_relu(z, 0.1))
                else:
                    z = conv(f"{block}.convs.{k}", F.leaky_relu(y, 0.1), dilation)
                y = y + z
            outputs.append(y)
        x = torch.stack(outputs).mean(0)
    return torch.tanh(conv("conv_post", F.leaky_relu(x, 0.01)))[:, 0]


@pytest.mark.parametrize("config", [TINY1, TINY2, HIFIGAN_V2, HIFIGAN_V3])
def test_equals_a_minimal_forward(config):
    torch.manual_seed(0)
    generator = HifiGan(config).eval()
    mel = torch.randn(2, config.n_mels, 9)
    with torch.inference_mode():
        samples = generator(mel)
        expected = minimal_forward(generator.state_dict(), config, mel)
    assert samples.shape == (2, 9 * config.hop_samples)
    torch.testing.assert_close(samples, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("config", "millions"), [(HIFIGAN_V1, 13.92), (HIFIGAN_V2, 0.92), (HIFIGAN_V3, 1.46)])
def test_sizes_of_the_paper(config, millions):
    # Table 1 of the paper counts weight norm's gains too; they are one per channel, below the last digit.
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in HifiGan(config).parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.01)
    assert config.hop_samples == 256


@pytest.mark.parametrize(
    "change",
    [
        {"upsample_kernel_sizes": (8,)},
        {"upsample_kernel_sizes": (7, 4)},
        {"upsample_kernel_sizes": (2, 4)},
        {"resblock_kernel_sizes": (3, 4)},
        {"upsample_initial_channel": 6},
        {"resblock": "3"},
    ],
)
def test_impossible_shapes_are_refused(change):
    with pytest.raises(ValidationError):
        HifiGanConfig.model_validate(TINY1.model_dump() | change)
