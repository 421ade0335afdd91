"""The inverse-STFT vocoder against torch.istft, its numpy half against torch, and what it promises of the future."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from speechkd.config import Config
from speechkd.models.vocoder import istft_numpy
from speechkd.models.vocoder.excitation import harmonics, noise
from speechkd.models.vocoder.istft import ConvNeXtBlock, IstftVocoderNetwork, excitation_of
from speechkd.models.vocoder.istft_config import IstftConfig

TINY = IstftConfig(
    n_mels=5, n_fft=32, hop_samples=8, channels=8, expanded=16, kernel=5, input_kernel=3, input_lookahead=1,
    lookahead=(2, 1, 0), sample_rate=1000, pitch_min_hz=20, pitch_max_hz=120, pitch_bins=30,
)  # fmt: skip


@pytest.fixture(name="network")
def _network():
    torch.manual_seed(0)
    network = IstftVocoderNetwork(TINY).eval()
    for parameter in network.parameters():  # as initialised, blocks add next to nothing
        parameter.data += 0.2 * torch.randn_like(parameter)
    return network


def filters_of(network):
    """The network as a program without torch would have it."""

    def filters(mel):
        with torch.inference_mode():
            made = network.filters(torch.from_numpy(mel))
            parts = (made.real, made.imaginary, made.noise, network.f0_hz(made.pitch))
            return istft_numpy.Filters(*(part.numpy() for part in parts))

    return filters


def problems(config: Config) -> list[str]:
    return [name for name, _ in config.problems()]


class TestInverse:
    def test_gives_back_the_samples_of_a_consistent_spectrum(self, network):
        """torch.stft at the frames of the mel (centred on the middles of hops), then our inverse."""
        n_frames = 50
        samples = torch.randn(2, n_frames * 8)
        padded = torch.nn.functional.pad(samples[:, None], (12, 12), mode="reflect")[:, 0]
        spectrum = torch.stft(padded, 32, 8, window=torch.hann_window(32), center=False, return_complex=True)
        found = network.to_samples(spectrum.transpose(1, 2))
        torch.testing.assert_close(found, samples, atol=1e-5, rtol=0)

    def test_is_torch_istft_where_that_is_defined(self, network):
        """torch.istft centres frames on hop edges: its frame t begins at 8 t - 16, ours at 8 t - 12."""
        real, imaginary = torch.randn(2, 3, 40, 17).unbind()
        imaginary[..., [0, -1]] = 0.0
        spectrum = torch.complex(real, imaginary).transpose(1, 2)
        theirs = torch.istft(spectrum, 32, 8, window=torch.hann_window(32))
        ours = network.to_samples(torch.complex(real, imaginary))
        torch.testing.assert_close(ours[:, 4 : 4 + theirs.shape[1]][:, :300], theirs[:, :300], atol=1e-5, rtol=1e-4)

    def test_is_the_sum_of_windowed_frames_over_that_of_squared_windows(self, network):
        rng = np.random.default_rng(0)
        real, imaginary = rng.normal(size=(2, 6, 17)).astype(np.float32)
        window = np.hanning(33)[:32]
        summed, weight = np.zeros(72), np.zeros(72)
        for t, frame in enumerate(np.fft.irfft(real + 1j * imaginary, 32, axis=1)):
            summed[8 * t : 8 * t + 32] += window * frame
            weight[8 * t : 8 * t + 32] += window**2
        expected = (summed / np.maximum(weight, 1e-12))[12 : 12 + 48]
        found = istft_numpy.to_samples(real + 1j * imaginary, TINY)
        np.testing.assert_allclose(found, expected, atol=1e-5)

    @pytest.mark.parametrize("n_frames", [1, 2, 3, 7, 120])
    def test_numpy_and_torch_agree(self, network, n_frames):
        spectrum = torch.randn(2, n_frames, 17, dtype=torch.complex64)
        expected = network.to_samples(spectrum).numpy()
        found = istft_numpy.to_samples(spectrum.numpy(), TINY)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_a_window_that_is_no_whole_number_of_hops(self):
        config = TINY.model_copy(update={"n_fft": 28, "hop_samples": 8})
        spectrum = torch.randn(1, 9, 15, dtype=torch.complex64)
        expected = IstftVocoderNetwork(config).to_samples(spectrum)[0].numpy()
        found = istft_numpy.to_samples(spectrum[0].numpy(), config)
        np.testing.assert_allclose(found, expected, atol=1e-5)


class TestNetwork:
    @pytest.mark.parametrize("n_frames", [1, 2, 33])
    def test_exact_length(self, network, n_frames):
        assert network(torch.randn(3, 5, n_frames)).shape == (3, n_frames * 8)

    def test_forward_excites_the_filters_at_the_pitch_that_it_finds(self, network):
        mel = torch.randn(2, 5, 20)
        made = network.filters(mel)
        assert made.real.shape == made.imaginary.shape == made.noise.shape == (2, 20, 17)
        f0_hz = network.f0_hz(made.pitch).detach().numpy()
        spectra = [
            torch.complex(made.real[row], made.imaginary[row]) * torch.from_numpy(harmonics(f0_hz[row], TINY))
            + made.noise[row] * torch.from_numpy(noise(0, 20, TINY))
            for row in range(2)
        ]
        torch.testing.assert_close(network(mel), network.to_samples(torch.stack(spectra)))

    def test_magnitude_and_phase_are_apart(self, network):
        """The direction's length does not count: doubling it leaves the filter as it is."""
        mel = torch.randn(1, 5, 9)
        before = network.filters(mel)
        network.head.weight.data[17:51] *= 2.0
        network.head.bias.data[17:51] *= 2.0
        for found, expected in zip(network.filters(mel), before, strict=True):
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)

    def test_the_pitch_is_the_mean_around_the_likeliest_bin(self, network):
        log_odds = torch.full((1, 2, 30), -9.0)
        log_odds[0, :, 10], log_odds[0, :, 11], log_odds[0, :, 25] = 2.0, 2.0, 1.9  # 25 is too far off to count
        log_odds[0, 1, 11] = -9.0
        pitches = torch.exp(torch.linspace(np.log(20), np.log(120), 30))
        found = network.f0_hz(log_odds)[0]
        assert float(found[0]) == pytest.approx(float((pitches[10] * pitches[11]) ** 0.5), rel=1e-3)
        assert float(found[1]) == pytest.approx(float(pitches[10]), rel=1e-3)

    def test_a_block_is_what_its_equation_says(self):
        block = ConvNeXtBlock(4, 6, 3, 1, 0.5)
        x = torch.randn(1, 4, 7)
        columns = torch.nn.functional.pad(x, (1, 1))
        y = torch.stack([(columns[:, :, t : t + 3] * block.depthwise.weight[:, 0]).sum(2) for t in range(7)], dim=1)
        y = torch.nn.functional.layer_norm(y + block.depthwise.bias, (4,), block.norm.weight, block.norm.bias)
        y = torch.nn.functional.gelu(y @ block.expand.weight.T + block.expand.bias)
        expected = x + (0.5 * (y @ block.reduce.weight.T + block.reduce.bias)).transpose(1, 2)
        torch.testing.assert_close(block(x), expected, atol=1e-6, rtol=1e-5)

    def test_rows_of_a_batch_do_not_meet(self, network):
        mel = torch.randn(2, 5, 20)
        torch.testing.assert_close(network(mel)[:1], network(mel[:1]), atol=2e-4, rtol=1e-3)

    def test_learns(self, network):
        """The pitch learns from its own loss, all else from the samples."""
        network(torch.randn(1, 5, 12)).square().mean().backward()
        for name, parameter in network.named_parameters():
            assert (parameter.grad is None) == name.startswith("pitch_head")
            assert parameter.grad is None or torch.isfinite(parameter.grad).all()


class TestLookAhead:
    @pytest.mark.parametrize("lookahead", [(0, 0, 0), (2, 1, 0), (4, 4, 4)])
    def test_bounds_are_tight(self, lookahead):
        """What changes when one mel frame changes begins and ends just where the config says."""
        torch.manual_seed(1)
        config = TINY.model_copy(update={"lookahead": lookahead})
        network = IstftVocoderNetwork(config).double().eval()
        for parameter in network.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
        mel = torch.randn(1, 5, 80, dtype=torch.float64)
        other = mel.clone()
        other[:, :, 40] += 1.0
        changed = (network.filters(mel)[0] - network.filters(other)[0]).abs().amax(dim=(0, 2)).nonzero().flatten()
        assert changed.min() == 40 - config.look_ahead_frames
        assert changed.max() == 40 + config.history_frames
        f0_hz = np.full(80, 40.0)
        higher = f0_hz.copy()
        higher[40 - config.look_ahead_frames] = 55.0
        made = network.filters(mel)
        pair = [network.excited(made, excitation_of(each[None], config)) for each in (f0_hz, higher)]
        first = int((pair[0] - pair[1]).abs().gt(1e-4).nonzero()[:, 1].min())
        # The window's first samples are nearly 0.
        assert 0 < first - (40 * 8 - config.look_ahead_samples) <= 3

    def test_numbers_by_hand(self):
        assert (TINY.look_ahead_frames, TINY.history_frames, TINY.margin_samples) == (4, 10, 12)
        assert TINY.reach_frames == 2
        assert TINY.look_ahead_samples == (4 + 2) * 8 + 12

    @pytest.mark.parametrize("chunk", [1, 3, 16, 100])
    def test_chunks_are_the_whole(self, network, chunk):
        mel = np.random.default_rng(2).normal(size=(61, 5)).astype(np.float32)
        filters = filters_of(network)
        whole = istft_numpy.speak(filters, mel, TINY)
        parts = list(istft_numpy.stream(filters, mel, TINY, chunk))
        assert [len(part) for part in parts[:-1]] == [chunk * 8] * (len(parts) - 1)
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
        with torch.inference_mode():
            np.testing.assert_allclose(whole, network(torch.from_numpy(mel).T[None])[0].numpy(), atol=1e-5)

    def test_a_chunk_hears_no_more_than_it_must(self, network):
        heard = []

        def filters(mel):
            heard.append(mel.shape[2])
            return filters_of(network)(mel)

        list(istft_numpy.stream(filters, np.zeros((100, 5), np.float32), TINY, 10))
        assert max(heard) == 10 + 2 * 2 + 2 * TINY.reach_frames + TINY.history_frames + TINY.look_ahead_frames

    def test_chunks_of_nothing(self, network):
        with pytest.raises(ValueError, match="at least one frame"):
            next(istft_numpy.stream(filters_of(network), np.zeros((3, 5), np.float32), TINY, 0))


class TestConfig:
    @pytest.mark.parametrize(
        ("change", "wrong"),
        [
            ({"n_fft": 12}, "n_fft"),
            ({"n_fft": 33}, "n_fft"),
            ({"input_lookahead": 3}, "input_lookahead"),
            ({"lookahead": (5,)}, "lookahead"),
            ({"lookahead": (-1,)}, "lookahead"),
            ({"pitch_min_hz": 120.0}, "pitch_max_hz"),
            ({"pitch_max_hz": 250.0}, "pitch_max_hz"),
        ],
    )
    def test_refuses(self, change, wrong):
        assert problems(TINY) == []
        assert wrong in problems(TINY.model_copy(update=change))

    def test_needs_a_block(self):
        with pytest.raises(ValidationError):
            IstftConfig(lookahead=())

    def test_the_default_is_small(self):
        with torch.device("meta"):
            n_parameters = sum(p.numel() for p in IstftVocoderNetwork(IstftConfig()).parameters())
        assert 2e6 < n_parameters < 4e6
        assert problems(IstftConfig()) == []


def test_the_numpy_half_does_without_torch():
    code = "import sys, speechkd.models.vocoder.istft_numpy as m; assert 'torch' not in sys.modules, 'torch'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
