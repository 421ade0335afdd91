"""Generators of other toolkits: their own classes, or a second forward pass, must give the same samples."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from speechkd.audio.presets import MEL_PRESETS
from speechkd.errors import DataError
from speechkd.models.vocoder.checkpoint import load_generator
from speechkd.models.vocoder.files import shape_of, vocoder_problem
from speechkd.models.vocoder.load import load_vocoder
from speechkd.models.vocoder.options import HifiGanOptions

LN10 = math.log(10.0)
SIZES: dict[str, Any] = {
    "upsample_initial_channel": 16,
    "upsample_rates": [8, 8, 4],
    "upsample_kernel_sizes": [16, 16, 8],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3], [1, 2]],
}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHKD_CACHE", str(tmp_path / "cache"))


def transformers_pair(kind: str) -> tuple[Any, Any]:
    """The classes of a config and of its model; skips without transformers."""
    transformers = pytest.importorskip("transformers")
    return getattr(transformers, f"{kind}HifiGanConfig"), getattr(transformers, f"{kind}HifiGan")


def random_model(kind: str, **changes: Any) -> Any:
    make_config, make_model = transformers_pair(kind)
    torch.manual_seed(5)
    model = make_model(make_config(**SIZES, **changes)).eval()
    for parameter in model.parameters():
        parameter.data.normal_(0.0, 0.1)
    model.mean.copy_(torch.randn(80))
    model.scale.copy_(torch.rand(80) + 0.5)
    return model


PRESET_OF = {"SpeechT5": "hifigan_16k", "FastSpeech2Conformer": "espnet_22k"}


@pytest.mark.parametrize("kind", PRESET_OF)
@pytest.mark.parametrize(("slope", "form"), [(0.1, "safetensors"), (0.25, "safetensors"), (0.1, "bin")])
def test_equals_the_class_of_transformers(tmp_path: Path, kind: str, slope: float, form: str) -> None:
    model = random_model(kind, leaky_relu_slope=slope)
    if form == "safetensors":
        model.save_pretrained(tmp_path / "voc")
    else:
        (tmp_path / "voc").mkdir()
        model.config.save_pretrained(tmp_path / "voc")
        torch.save(model.state_dict(), tmp_path / "voc" / "pytorch_model.bin")
    generator, mel = load_generator(tmp_path / "voc")
    assert mel == shape_of(MEL_PRESETS[PRESET_OF[kind]])
    natural = torch.randn(2, 9, 80) * 2 - 4
    with torch.inference_mode():
        theirs = model(natural / LN10)  # they hear log10
        ours = generator(natural.transpose(1, 2))
    assert ours.shape == (2, 9 * 256) and ours.abs().max() > 1e-3
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_a_vocoder_within_a_whole_model(tmp_path: Path) -> None:
    model = random_model("FastSpeech2Conformer")
    (tmp_path / "voc").mkdir()
    raw = {"model_type": "fastspeech2_conformer_with_hifigan", "vocoder_config": model.config.to_dict()}
    (tmp_path / "voc" / "config.json").write_text(json.dumps(raw))
    state = {f"vocoder.{name}": value for name, value in model.state_dict().items()} | {"model.x": torch.zeros(3)}
    torch.save(state, tmp_path / "voc" / "pytorch_model.bin")
    generator, _ = load_generator(tmp_path / "voc")
    natural = torch.randn(1, 5, 80)
    with torch.inference_mode():
        ours, theirs = generator(natural.transpose(1, 2)), model(natural / LN10)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_a_generator_that_hears_normalised_mels_needs_their_statistics(tmp_path: Path) -> None:
    model = random_model("FastSpeech2Conformer", normalize_before=False)
    model.save_pretrained(tmp_path / "voc")
    with pytest.raises(DataError, match=r"feats_stats\.npz"):
        load_generator(tmp_path / "voc")
    log10_mels = np.random.default_rng(0).normal(-2, 1, (500, 80))
    np.savez(
        tmp_path / "voc" / "feats_stats.npz",
        count=np.asarray(500),
        sum=log10_mels.sum(axis=0),
        sum_square=np.square(log10_mels).sum(axis=0),
    )
    generator, _ = load_generator(tmp_path / "voc")
    natural = torch.randn(1, 5, 80)
    mean, deviation = (torch.from_numpy(each).float() for each in (log10_mels.mean(axis=0), log10_mels.std(axis=0)))
    with torch.inference_mode():
        ours, theirs = generator(natural.transpose(1, 2)), model((natural / LN10 - mean) / deviation)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_the_converted_folder_speaks_with_its_preset_and_no_other(tmp_path: Path) -> None:
    random_model("SpeechT5").save_pretrained(tmp_path / "voc")
    assert vocoder_problem(tmp_path / "voc", MEL_PRESETS["hifigan_16k"]) is None
    assert "fmin_hz is 80 and 0" in (vocoder_problem(tmp_path / "voc", MEL_PRESETS["hifigan_22k"]) or "")
    samples = load_vocoder(HifiGanOptions(path=tmp_path / "voc"), "hifigan_16k")(torch.randn(1, 6, 80))
    assert samples.shape == (1, 6 * 256) and bool(torch.isfinite(samples).all())


HYPERPARAMS = """
# a vocoder
in_channels: 80
out_channels: 1
resblock_type: "1"
resblock_dilation_sizes: [[1, 3], [1, 2]]
resblock_kernel_sizes: [3, 5]
upsample_kernel_sizes: [16, 16, 8]
upsample_initial_channel: 16
upsample_factors: [8, 8, 4]
inference_padding: 5
cond_channels: 0
generator: !new:speechbrain.lobes.models.HifiGAN.HifiganGenerator
    in_channels: !ref <in_channels>
modules:
    generator: !ref <generator>
"""


class Wrapped(nn.Module):
    """SpeechBrain's convolution: a module around torch's, reflecting at the ends."""

    def __init__(self, channels: tuple[int, int], kernel: int, dilation: int = 1, rate: int = 0) -> None:
        super().__init__()
        self.reflected = 0 if rate else dilation * (kernel - 1) // 2
        conv = (
            nn.ConvTranspose1d(*channels, kernel, rate, padding=(kernel - rate) // 2)
            if rate
            else nn.Conv1d(*channels, kernel, dilation=dilation)
        )
        self.conv = parametrizations.weight_norm(conv)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(F.pad(x, (self.reflected, self.reflected), mode="reflect") if self.reflected else x)


class SpeechBrainLike(nn.Module):
    """The generator of HYPERPARAMS, with the names that SpeechBrain gives its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_pre = Wrapped((80, 16), 7)
        self.ups = nn.ModuleList(Wrapped((c, c // 2), k, rate=r) for c, k, r in ((16, 16, 8), (8, 16, 8), (4, 8, 4)))
        self.resblocks = nn.ModuleList()
        for channels in (8, 4, 2):
            for kernel, dilations in ((3, (1, 3)), (5, (1, 2))):
                block = nn.Module()
                block.convs1 = nn.ModuleList(Wrapped((channels, channels), kernel, d) for d in dilations)
                block.convs2 = nn.ModuleList(Wrapped((channels, channels), kernel) for _ in dilations)
                self.resblocks.append(block)
        self.conv_post = Wrapped((2, 1), 7)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        x = self.conv_pre(mel)
        for step, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, 0.1))
            outputs = []
            for block in self.resblocks[2 * step : 2 * step + 2]:
                y = x
                for first, second in zip(block.convs1, block.convs2, strict=True):
                    y = y + second(F.leaky_relu(first(F.leaky_relu(y, 0.1)), 0.1))
                outputs.append(y)
            x = torch.stack(outputs).mean(dim=0)
        return torch.tanh(self.conv_post(F.leaky_relu(x)))[:, 0]


def test_a_generator_of_speechbrain(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = SpeechBrainLike().eval()
    (tmp_path / "voc").mkdir()
    (tmp_path / "voc" / "hyperparams.yaml").write_text(HYPERPARAMS)
    torch.save(model.state_dict(), tmp_path / "voc" / "generator.ckpt")
    generator, mel = load_generator(tmp_path / "voc")
    assert mel == shape_of(MEL_PRESETS["hifigan_22k"])
    frames = torch.randn(1, 80, 40)
    with torch.inference_mode():
        ours, theirs = generator(frames), model(frames)
    inside = slice(10 * 256, -10 * 256)  # they reflect at the ends, where the published generator sees silence
    torch.testing.assert_close(ours[:, inside], theirs[:, inside], atol=1e-5, rtol=1e-5)
    assert vocoder_problem(tmp_path / "voc" / "generator.ckpt", MEL_PRESETS["hifigan_22k"]) is None


def test_a_conditioned_generator_of_speechbrain_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hyperparams.yaml").write_text(HYPERPARAMS.replace("cond_channels: 0", "cond_channels: 64"))
    torch.save({"a": torch.zeros(1)}, tmp_path / "generator.ckpt")
    with pytest.raises(DataError, match="cond_channels"):
        load_generator(tmp_path)


def test_broken_hyperparams_are_a_message(tmp_path: Path) -> None:
    (tmp_path / "hyperparams.yaml").write_text("in_channels: [80")
    torch.save({"a": torch.zeros(1)}, tmp_path / "generator.ckpt")
    with pytest.raises(DataError, match=r"hyperparams\.yaml"):
        load_generator(tmp_path)
