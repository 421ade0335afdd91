"""The waveform decoder: its block by hand, how far it looks, and that padding changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from speechkd.models.tts.fastspeech2s_config import WaveformConfig
from speechkd.models.tts.waveform import Excitation, GatedBlock, WaveformDecoder, folded, take_slices

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
    assert config.reach_steps == 3 * 1023
    assert [key for key, _ in WaveformConfig.model_construct(blocks=5, cycle=3).problems()] == ["cycle"]
    assert [key for key, _ in WaveformConfig.model_construct(kernel=4).problems()] == ["kernel"]


@pytest.mark.parametrize("sizes", [{}, {"blocks": 4, "cycle": 4}, {"blocks": 2, "cycle": 1, "kernel": 5}])
def test_the_receptive_field_is_the_one_that_is_told(sizes: dict[str, int]) -> None:
    """By brute force: which samples move when one state at the rate of samples moves."""
    model = decoder(**sizes).double()
    config = WaveformConfig.model_validate({"channels": 4, "blocks": 6, "cycle": 3} | sizes)
    n = 2 * config.reach_steps + 41
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
    assert int(changed.min()) == n // 2 - config.reach_steps
    assert int(changed.max()) == n // 2 + config.reach_steps


@pytest.mark.parametrize("n_frames", [1, 2, 13])
@pytest.mark.parametrize(("hop", "step"), [(2, 1), (8, 4), (256, 1), (256, 8)])
def test_every_frame_becomes_a_hop_of_samples(n_frames: int, hop: int, step: int) -> None:
    model = WaveformDecoder(HIDDEN, hop, WaveformConfig(channels=2, blocks=2, cycle=2, samples_per_step=step))
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


@pytest.mark.parametrize("step", [1, 4])
def test_a_padded_row_is_the_row_alone(step: int) -> None:
    model = decoder(samples_per_step=step)
    lengths = [5, 9, 1]
    states = torch.randn(3, 9, HIDDEN)
    mask = torch.arange(9)[None] < torch.tensor(lengths)[:, None]
    together = model(states, mask)
    for row, n in enumerate(lengths):
        alone = model(states[row : row + 1, :n])
        torch.testing.assert_close(together[row, : n * HOP], alone[0], atol=1e-5, rtol=0)
        assert not together[row, n * HOP :].any()


def test_folded_samples_lie_side_by_side() -> None:
    x = torch.arange(2 * 12).view(1, 2, 12)
    assert folded(x, 4)[0].T.tolist() == [[*range(4 * i, 4 * i + 4), *range(12 + 4 * i, 16 + 4 * i)] for i in range(3)]
    assert folded(x, 1).equal(x)


def test_a_step_makes_its_own_samples_in_order_of_what_it_hears() -> None:
    """Blocks that do nothing: what is heard at a sample comes out at that sample, and nowhere else."""
    torch.manual_seed(0)
    config = WaveformConfig(channels=12, blocks=1, cycle=1, samples_per_step=4, excitation="harmonic")
    model = WaveformDecoder(HIDDEN, HOP, config).eval()
    with torch.no_grad():
        for part in (model.upsample, model.excite, model.blocks[0].gates, model.blocks[0].project, *model.output[1::2]):
            part.weight.zero_()
            part.bias.zero_()
        # The first of the three that are heard goes to four channels, through a gate that is open, and out.
        model.excite.weight[:4, :4, 0] = 0.01 * torch.eye(4)
        model.blocks[0].gates.weight[:12, :, 1] = torch.eye(12)
        model.blocks[0].project.weight[12:, :, 0] = 2.0 * torch.eye(12)
        model.output[1].weight[:, :, 0] = torch.eye(12)
        model.output[3].weight[:, :4, 0] = torch.eye(4)
        heard = torch.rand(1, 3, 3 * HOP)
        made = model(torch.randn(1, 3, HIDDEN), None, heard)
    torch.testing.assert_close(made, 0.01 * heard[:, 0], atol=1e-5, rtol=0)


def test_slices_are_cut_by_frames() -> None:
    states = torch.arange(2 * 7).view(2, 7, 1).float()
    found = take_slices(states, torch.tensor([1, 0, 1]), torch.tensor([0, 3, 4]), 3)
    assert found.squeeze(-1).tolist() == [[7, 8, 9], [3, 4, 5], [11, 12, 13]]
    assert take_slices(states, torch.tensor([]).long(), torch.tensor([]).long(), 3).shape == (0, 3, 1)
    with pytest.raises(IndexError, match="ends at frame 8 of 7"):
        take_slices(states, torch.tensor([1]), torch.tensor([5]), 3)


RATE = 16000
F0_HZ = np.array([[100.0, 130.0, 130.0, 433.3, 80.0, 7999.0], [250.0, 251.0, 60.0, 90.0, 333.0, 20.0]])
VOICED = np.array([[1, 1, 0, 1, 1, 1], [0, 1, 1, 1, 0, 1]], dtype=bool)


def excited(f0_hz: np.ndarray, voiced: np.ndarray, hop: int = HOP) -> torch.Tensor:
    made: torch.Tensor = Excitation(hop, RATE).eval()(torch.from_numpy(f0_hz).float(), torch.from_numpy(voiced))
    return made


def test_the_excitation_is_a_sine_and_all_of_its_harmonics() -> None:
    """Sample by sample: phase grows by F0 / rate, also where nothing is voiced; cosines below half the rate only."""
    found = excited(F0_HZ, VOICED).numpy()
    assert found.shape == (2, 3, 6 * HOP)
    for row in range(2):
        turns = 0.0
        for sample in range(6 * HOP):
            f0_hz, voiced = F0_HZ[row, sample // HOP], VOICED[row, sample // HOP]
            harmonics = range(1, max(1, int(RATE / 2 / f0_hz)) + 1)
            pulses = np.mean([math.cos(2 * math.pi * k * turns) for k in harmonics])
            np.testing.assert_allclose(
                found[row, :2, sample], [voiced * math.sin(2 * math.pi * turns), voiced * pulses], atol=2e-3
            )
            turns += f0_hz / RATE


def test_pulses_repeat_at_f0_and_their_spectrum_is_flat_to_half_the_rate() -> None:
    made = excited(np.full((1, 100), 200.0), np.ones((1, 100), dtype=bool), hop=160)[0, 1].numpy()
    peaks = np.flatnonzero(made > 0.9)
    assert set(np.diff(peaks)) == {RATE // 200} and made.max() == pytest.approx(1.0)
    spectrum = np.abs(np.fft.rfft(made))  # one second: a bin is a hertz
    harmonics = spectrum[200:8000:200]
    np.testing.assert_allclose(harmonics, harmonics.mean(), rtol=0.02)
    assert np.delete(spectrum, np.arange(0, 8001, 200)).max() < 0.01 * harmonics.mean()


def test_long_utterances_keep_their_pitch() -> None:
    """Half a minute at one F0: the last period is as exact as the first."""
    n_frames = 30 * RATE // 160
    made = excited(np.full((1, n_frames), 123.4), np.ones((1, n_frames), dtype=bool), hop=160)[0, 0].numpy()
    times = np.arange(len(made)) / RATE
    np.testing.assert_allclose(made, np.sin(2 * np.pi * 123.4 * times), atol=0.02)


def test_speaking_hears_the_same_noise_from_the_start_of_every_row_and_training_another_each_time() -> None:
    source = Excitation(HOP, RATE)
    f0_hz, voiced = torch.full((2, 5000), 100.0), torch.zeros(2, 5000, dtype=torch.bool)
    noise = source.eval()(f0_hz, voiced)[:, 2]
    assert noise[0].equal(noise[1]) and source(f0_hz[:1, :9], voiced[:1, :9])[0, 2].equal(noise[0, : 9 * HOP])
    assert float(noise[0].std()) == pytest.approx(1.0, abs=0.02) and noise.shape == (2, 5000 * HOP)
    first, second = (source.train()(f0_hz, voiced)[:, 2] for _ in range(2))
    assert not first.equal(second) and not first[0].equal(first[1])


def test_no_f0_is_no_reason_for_nan() -> None:
    """Padding has an F0 of zero."""
    assert excited(np.zeros((1, 4)), np.ones((1, 4), dtype=bool)).isfinite().all()


def test_a_padded_row_with_an_excitation_is_the_row_alone() -> None:
    torch.manual_seed(3)
    model = WaveformDecoder(HIDDEN, HOP, WaveformConfig(channels=4, blocks=6, cycle=3, excitation="harmonic")).eval()
    states, mask = torch.randn(2, 6, HIDDEN), torch.tensor([[True] * 4 + [False] * 2, [True] * 6])
    excitation = excited(F0_HZ, VOICED)
    together = model(states, mask, excitation)
    alone = model(states[:1, :4], None, excitation[:1, :, : 4 * HOP])
    torch.testing.assert_close(together[:1, : 4 * HOP], alone, atol=1e-5, rtol=0)
    assert not together.equal(model(states, mask, torch.zeros_like(excitation)))
