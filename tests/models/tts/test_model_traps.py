"""The traps M1 to M9 of FastSpeech 2's re-implementations, each by its number; M10 is in the tests of FastSpeech 2s."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from recipes.tts.fastspeech2.task import fastspeech2_losses, variance_losses
from speechkd.audio.io import read_audio
from speechkd.audio.mel import linear_spectrogram, mel_from_linear, mel_preset
from speechkd.cli.recipes import load
from speechkd.errors import ConfigError
from speechkd.features.bins import PitchBins, UniformBins
from speechkd.models.common.config import FftConfig, PredictorConfig
from speechkd.models.common.fft import FftStack, VariancePredictor
from speechkd.models.common.masks import length_mask
from speechkd.models.tts.config import FastSpeech2Config, NetworkConfig
from speechkd.models.tts.fastspeech2 import FastSpeech2
from speechkd.models.vocoder.config import MelShape
from speechkd.models.vocoder.files import require_same_mel, shape_of
from speechkd.synthesis.load import load_voice
from tests.models.tts.test_fastspeech2 import STATISTICS
from tests.synthesis.standin import STAND_INS, pack

ROOT = Path(__file__).resolve().parents[3]


def paper(tmp_path: Path, preset: str = "paper") -> Any:
    conf = tmp_path / f"{preset}.yaml"
    conf.write_text(
        f"base: {ROOT}/recipes/tts/fastspeech2/conf/{preset}.yaml\n"
        "run: {dir: run}\ncorpus: {name: mini}\npack: {name: x}\n"
    )
    return load(conf, [])[1]


@pytest.mark.parametrize("kernel", [3, 9])
def test_m1_nothing_leaks_out_of_the_padding(kernel: int) -> None:
    torch.manual_seed(0)
    stack = FftStack(8, FftConfig(layers=3, conv_channels=16, conv_kernel=kernel, second_kernel=kernel)).eval()
    states, mask = torch.randn(1, 12, 8), length_mask(torch.tensor([5]), 12)
    poisoned = states.clone()
    poisoned[:, 5:] = 1e3
    alone = stack(states[:, :5], mask[:, :5])
    torch.testing.assert_close(stack(states, mask)[:, :5], alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(stack(poisoned, mask)[:, :5], alone, atol=1e-5, rtol=1e-5)


def test_m2_the_papers_preset_has_none_of_the_extras(tmp_path: Path) -> None:
    cfg = paper(tmp_path)
    assert (cfg.model.decoder.layers, cfg.model.decoder.dropout) == (4, 0.1)
    assert (cfg.model.pitch.level, cfg.model.energy.level) == ("frame", "frame")
    assert cfg.train.schedule.name == "noam" and cfg.train.ema_decay == 0 and cfg.augment.crop == 0
    assert "post" not in " ".join(name for name, _ in tiny_model().named_modules())


def tiny_model() -> FastSpeech2:
    network = NetworkConfig.model_validate(
        {"hidden": 8, "encoder": {"layers": 1, "conv_channels": 8}, "decoder": {"layers": 1, "conv_channels": 8},
         "predictor": {"channels": 8}}
    )  # fmt: skip
    torch.manual_seed(0)
    return FastSpeech2(FastSpeech2Config(network=network, n_symbols=9, n_mels=8, statistics=STATISTICS))


def test_m3_predictors_pass_their_whole_gradient_on() -> None:
    torch.manual_seed(0)
    predictor = VariancePredictor(6, PredictorConfig(channels=5), 1).double().eval()
    states = torch.randn(1, 4, 6, dtype=torch.float64, requires_grad=True)
    mask = torch.ones(1, 4, dtype=torch.bool)
    assert torch.autograd.gradcheck(lambda x: predictor(x, mask).square().sum(), states)


def test_m4_the_loss_has_the_papers_terms_only() -> None:
    text = inspect.getsource(fastspeech2_losses) + inspect.getsource(variance_losses)
    named = {name for name in ("mel", "duration", "pitch", "energy", "word", "sentence") if f'"{name}"' in text}
    assert named == {"mel", "duration", "pitch", "energy"}


def test_m5_mels_are_natural_logarithms_with_the_floor_and_band_of_their_vocoder() -> None:
    preset = mel_preset("hifigan_22k")
    assert (preset.fmin_hz, preset.fmax_hz, preset.log_floor) == (0.0, 8000.0, 1e-5)
    silence = mel_from_linear(linear_spectrogram(torch.zeros(1, 4096), preset), preset)
    torch.testing.assert_close(silence, torch.full_like(silence, float(np.log(1e-5))), atol=1e-4, rtol=0)
    tone = 0.1 * torch.sin(2 * torch.pi * 440 / preset.sample_rate * torch.arange(8192))[None]
    soft, loud = (mel_from_linear(linear_spectrogram(gain * tone, preset), preset) for gain in (1.0, np.e))
    at = soft[0, 16].argmax()
    assert float(loud[0, 16, at] - soft[0, 16, at]) == pytest.approx(1.0, abs=1e-3)  # of log10 it would be 0.434
    other: MelShape = shape_of(mel_preset("hifigan_16k"))
    with pytest.raises(ConfigError):
        require_same_mel(other, preset, "elsewhere")


def test_m6_a_file_keeps_its_rate_until_another_is_asked_for(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 48_000), 48_000)
    assert read_audio(tmp_path / "a.wav").sample_rate == 48_000
    asked = read_audio(tmp_path / "a.wav", 22_050)
    assert asked.sample_rate == 22_050 and len(asked.samples) == pytest.approx(22_050, abs=1)


def test_m7_a_long_text_is_spoken_sentence_by_sentence(tmp_path: Path) -> None:
    pack(tmp_path / "voice")
    voice = load_voice(tmp_path / "voice", STAND_INS)
    first, second = "The first one is short.", "The second one is a little longer than that."
    both = voice.synthesize(f"{first} {second}", pauses=0)
    # Each from its own beginning: nothing that was said before reaches into it.
    parts = [voice.synthesize(each).samples for each in (first, second)]
    assert np.array_equal(both.samples, np.concatenate(parts))


@pytest.mark.parametrize("bins", [UniformBins(0.0, 60.0, 16), PitchBins(80.0, 400.0, 16)])
def test_m8_bins_are_found_without_bucketize(bins: UniformBins | PitchBins) -> None:
    class Quantiser(nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return bins.index(values)

    graph = torch.export.export(Quantiser(), (torch.rand(1, 5) * 300,)).graph
    used = {str(node.target) for node in graph.nodes if node.op == "call_function"}
    assert used and not [name for name in used if "bucketize" in name or "searchsorted" in name]
    values = torch.rand(200) * 500
    edges = torch.linspace(0.0, 60.0, 17) if isinstance(bins, UniformBins) else 80.0 * 5.0 ** (torch.arange(17) / 16.0)
    expected = (torch.bucketize(values, edges, right=True) - 1).clamp(0, 15)
    assert (bins.index(values) == expected).float().mean() > 0.98  # values on an edge may fall to either side


@pytest.mark.parametrize(
    ("preset", "pitch"), [("phoneme", ("f0", "phoneme")), ("no_cwt", ("f0", "frame")), ("paper", ("cwt", "frame"))]
)
def test_m9_all_three_forms_of_pitch_can_be_compared(preset: str, pitch: tuple[str, str], tmp_path: Path) -> None:
    cfg = paper(tmp_path, preset)
    assert (cfg.model.pitch.target, cfg.model.pitch.level) == pitch


@pytest.mark.parametrize(
    ("preset", "left_out"),
    [("no_pitch", {"pitch"}), ("no_energy", {"energy"}), ("neither", {"pitch", "energy"}), ("paper", set())],
)
def test_the_papers_ablations_leave_out_what_they_say(preset: str, left_out: set[str], tmp_path: Path) -> None:
    model = paper(tmp_path, preset).model
    assert {name for name in ("pitch", "energy") if getattr(model, name).target == "none"} == left_out
