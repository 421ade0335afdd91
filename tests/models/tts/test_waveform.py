"""The waveform decoder: its block by hand, how far it looks, and that padding changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from speechkd.models.tts.fastspeech2s_config import WaveformConfig
from speechkd.models.tts.waveform import GatedBlock, WaveformDecoder, take_slices

HIDDEN, HOP = 6, 8


def decoder(**config: int) -> WaveformDecoder:
    torch.manual_seed(3)
    sizes = {"channels": 4, "blocks": 6, "cycle": 3} | config
    return WaveformDecoder(HIDDEN, HOP, WaveformConfig.model_validate(sizes)).eval()


def block_by_hand(block: GatedBlock, x: np.ndarray, dilation: int) -> tuple[np.ndarray, np.ndarray]:
    """x: (C, N); every sample and every tap written out."""
    weight, bias = block.gates.weight.detach().numpy(), block.gates.bias.detach().numpy()
    channels, n = x.shape
    gates = np.tile(bias[:, None], (1, n)).astype(float)
    for t in range(n):
        for tap in range(weight.shape[2]):
            at = t + (tap - weight.shape[2] // 2) * dilation
            if 0 <= at < n:
                gates[:, t] += weight[:, :, tap] @ x[:, at]
    inner, gate = np.tanh(gates[:channels]), 1 / (1 + np.exp(-gates[channels:]))
    out = block.project.weight.detach().numpy()[:, :, 0] @ (inner * gate) + block.project.bias.detach().numpy()[:, None]
    return (x + out[:channels]) / math.sqrt(2), out[channels:]


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (3, 4), (5, 2)])
def test_a_gated_block_is_tanh_times_sigmoid(kernel: int, dilation: int) -> None:
    torch.manual_seed(1)
    block = GatedBlock(3, kernel, dilation)
    x = torch.randn(1, 3, 17)
    found, skip = block(x)
    expected, expected_skip = block_by_hand(block, x[0].numpy(), dilation)
    np.testing.assert_allclose(found[0].detach().numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(skip[0].detach().numpy(), expected_skip, atol=1e-6)


def test_the_papers_dilations() -> None:
    config = WaveformConfig()
    assert (config.channels, config.blocks, config.kernel) == (64, 30, 3)
    assert config.dilations == tuple(2**i for i in range(10)) * 3
    assert config.reach_samples == 3 * 1023
    assert [key for key, _ in WaveformConfig.model_construct(blocks=5, cycle=3).problems()] == ["cycle"]
    assert [key for key, _ in WaveformConfig.model_construct(kernel=4).problems()] == ["kernel"]


@pytest.mark.parametrize("sizes", [{}, {"blocks": 4, "cycle": 4}, {"blocks": 2, "cycle": 1, "kernel": 5}])
def test_the_receptive_field_is_the_one_that_is_told(sizes: dict[str, int]) -> None:
    """By brute force: which samples move when one state at the rate of samples moves."""
    model = decoder(**sizes).double()
    config = WaveformConfig.model_validate({"channels": 4, "blocks": 6, "cycle": 3} | sizes)
    n = 2 * config.reach_samples + 41
    x = torch.randn(1, 4, n, dtype=torch.float64)

    def blocks(x: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(x)
        for block in model.blocks:
            x, skip = block(x)
            total = total + skip
        return total

    moved = x.clone()
    moved[0, :, n // 2] += 1.0
    changed = (blocks(moved) - blocks(x)).abs().sum(dim=(0, 1)).nonzero().flatten()
    assert int(changed.min()) == n // 2 - config.reach_samples
    assert int(changed.max()) == n // 2 + config.reach_samples


@pytest.mark.parametrize("n_frames", [1, 2, 13])
@pytest.mark.parametrize("hop", [2, 8, 256])
def test_every_frame_becomes_a_hop_of_samples(n_frames: int, hop: int) -> None:
    model = WaveformDecoder(HIDDEN, hop, WaveformConfig(channels=2, blocks=2, cycle=2))
    assert model(torch.randn(3, n_frames, HIDDEN)).shape == (3, n_frames * hop)


def test_an_upsampled_sample_is_made_of_the_two_frames_around_it() -> None:
    model = decoder()
    states = torch.randn(1, 5, HIDDEN)
    moved = states.clone()
    moved[0, 2] += 1.0
    difference = (model.upsample(moved.transpose(1, 2)) - model.upsample(states.transpose(1, 2))).abs().sum(dim=1)
    changed = difference[0].nonzero().flatten()
    # Frame 2 is centred on sample 20 and reaches one hop to either side.
    assert (int(changed.min()), int(changed.max())) == (20 - HOP, 20 + HOP - 1)


def test_a_padded_row_is_the_row_alone() -> None:
    model = decoder()
    lengths = [5, 9, 1]
    states = torch.randn(3, 9, HIDDEN)
    mask = torch.arange(9)[None] < torch.tensor(lengths)[:, None]
    together = model(states, mask)
    for row, n in enumerate(lengths):
        alone = model(states[row : row + 1, :n])
        torch.testing.assert_close(together[row, : n * HOP], alone[0], atol=1e-5, rtol=0)
        assert not together[row, n * HOP :].any()


def test_slices_are_cut_by_frames() -> None:
    states = torch.arange(2 * 7).view(2, 7, 1).float()
    found = take_slices(states, torch.tensor([1, 0, 1]), torch.tensor([0, 3, 4]), 3)
    assert found.squeeze(-1).tolist() == [[7, 8, 9], [3, 4, 5], [11, 12, 13]]
    assert take_slices(states, torch.tensor([]).long(), torch.tensor([]).long(), 3).shape == (0, 3, 1)
    with pytest.raises(IndexError, match="ends at frame 8 of 7"):
        take_slices(states, torch.tensor([1]), torch.tensor([5]), 3)
