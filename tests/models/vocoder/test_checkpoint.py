"""Published checkpoints in every form in which they occur, and files that are none."""

from __future__ import annotations

import json
import os

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, weight_norm

from speechkd.audio.io import read_audio
from speechkd.audio.mel import MEL_PRESETS, mel_spectrogram
from speechkd.config import Config, ConfigErrors, load_config
from speechkd.errors import ConfigError, DataError
from speechkd.metrics.speech import mel_l1
from speechkd.models.vocoder import checkpoint
from speechkd.models.vocoder.config import HIFIGAN_V2, HIFIGAN_V3, MelShape, to_published_json
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.models.vocoder.hifigan import HifiGan
from speechkd.models.vocoder.load import load_vocoder
from speechkd.models.vocoder.options import GriffinLimOptions, HifiGanOptions, VocoderOptions
from tests.conftest import shared_data
from tests.models.vocoder.test_hifigan import TINY1, TINY2

TINY_MEL = MelShape(sample_rate=8000, n_fft=32, hop_samples=8, win_samples=32, n_mels=5, fmin_hz=0, fmax_hz=4000)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHKD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def convolutions(module: nn.Module) -> list[nn.Module]:
    return [part for part in module.modules() if isinstance(part, nn.Conv1d | nn.ConvTranspose1d)]


def write(folder, state, config=TINY1, name="generator.pt", mel=TINY_MEL):
    folder.mkdir(exist_ok=True)
    torch.save(state, folder / name)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(to_published_json(config, mel)))
    return folder


@pytest.mark.parametrize("config", [TINY1, TINY2])
@pytest.mark.parametrize("form", ["plain", "weight_norm", "parametrizations"])
@pytest.mark.parametrize("key", ["generator", None])
@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_every_form_gives_the_samples_of_the_model_that_was_saved(tmp_path, config, form, key):
    torch.manual_seed(3)
    model = HifiGan(config).eval()
    for part in convolutions(model):
        if form == "weight_norm":
            weight_norm(part)
            part.weight_g.data *= 1.7
        elif form == "parametrizations":
            parametrizations.weight_norm(part)
            part.parametrizations.weight.original0.data *= 1.7
    mel = torch.randn(1, 5, 11)
    expected = model(mel)
    state = model.state_dict()
    folder = write(tmp_path / "voc", {key: state, "steps": 3} if key else state, config)
    generator, shape = checkpoint.load_generator(folder)
    assert shape == TINY_MEL
    torch.testing.assert_close(generator(mel), expected, atol=1e-6, rtol=1e-5)
    assert not any(parameter.requires_grad for parameter in generator.parameters())


def test_half_precision_is_read_as_single(tmp_path):
    model = HifiGan(TINY1)
    half = {name: tensor.half() for name, tensor in model.state_dict().items()}
    generator, _ = checkpoint.load_generator(write(tmp_path / "voc", half))
    for name, tensor in generator.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, half[name].float())


def test_a_file_without_suffix_or_config_is_known_by_its_shapes(tmp_path):
    write(tmp_path / "voc", {"generator": HifiGan(HIFIGAN_V2).state_dict()}, None, "g_02500000")
    for path in (tmp_path / "voc", tmp_path / "voc" / "g_02500000"):
        generator, mel = checkpoint.load_generator(path)
        assert generator.config == HIFIGAN_V2
        assert mel == MelShape.published()


def test_of_several_configs_the_one_that_fits_is_taken(tmp_path):
    folder = write(tmp_path / "voc", HifiGan(HIFIGAN_V3).state_dict(), None)
    for name, config in (("config_v2.json", HIFIGAN_V2), ("config_v3.json", HIFIGAN_V3)):
        (folder / name).write_text(json.dumps(to_published_json(config, MelShape.published())))
    assert checkpoint.load_generator(folder)[0].config == HIFIGAN_V3


def test_conversion_happens_once_and_then_no_pickle_is_opened(tmp_path, monkeypatch, cache):
    folder = write(tmp_path / "voc", HifiGan(TINY1).state_dict())
    first, _ = checkpoint.load_generator(folder)

    def never(*_args, **_kwargs):
        raise AssertionError("the pickled checkpoint was opened again")

    monkeypatch.setattr(torch, "load", never)
    second, _ = checkpoint.load_generator(folder)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])
    converted = next((cache / "vocoder").iterdir())
    assert sorted(file.name for file in converted.iterdir()) == ["config.json", "generator.safetensors"]
    # The converted folder is itself a vocoder.
    assert checkpoint.load_generator(converted)[0].config == TINY1


def test_a_changed_checkpoint_is_converted_anew(tmp_path, cache):
    checkpoint.load_generator(write(tmp_path / "voc", HifiGan(TINY1).state_dict()))
    checkpoint.load_generator(write(tmp_path / "voc", HifiGan(TINY1).state_dict()))
    assert len(list((cache / "vocoder").iterdir())) == 2


class Bomb:
    """Creates a folder when it is unpickled without care."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    folder = write(tmp_path / "voc", {"generator": Bomb(tmp_path / "exploded")})
    with pytest.raises(DataError, match="cannot be read safely"):
        checkpoint.load_generator(folder)
    assert not (tmp_path / "exploded").exists()


def test_what_is_no_generator_is_said(tmp_path):
    state = HifiGan(TINY1).state_dict()
    cases = {
        "missing": ({k: v for k, v in state.items() if k != "conv_pre.bias"}, "conv_pre.bias is missing"),
        "extra": (state | {"more.weight": torch.zeros(1)}, "more.weight is not"),
        "shape": (state | {"conv_pre.bias": torch.zeros(3)}, "conv_pre.bias has shape"),
        "nan": (state | {"conv_pre.bias": torch.full((8,), float("nan"))}, "NaN"),
        "list": ([1, 2], "plain table of tensors"),
        "words": ({"generator": "weights"}, "plain table of tensors"),
        "gain": (
            {k: v for k, v in state.items() if k != "conv_pre.weight"}
            | {"conv_pre.weight_v": state["conv_pre.weight"]},
            "without its gain",
        ),
    }
    for name, (content, message) in cases.items():
        with pytest.raises(DataError, match=message):
            checkpoint.load_generator(write(tmp_path / name, content))


def test_torn_and_missing_files_are_said(tmp_path):
    folder = write(tmp_path / "voc", HifiGan(TINY1).state_dict())
    whole = (folder / "generator.pt").read_bytes()
    for torn in (b"", b"not a checkpoint", whole[: len(whole) // 2]):
        (folder / "generator.pt").write_bytes(torn)
        with pytest.raises(DataError, match="cannot be read safely"):
            checkpoint.load_generator(folder)
    (folder / "generator.pt").write_bytes(whole)
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match="config cannot be read"):
        checkpoint.load_generator(folder)
    (folder / "config.json").write_text('{"resblock": "1"}')
    with pytest.raises(DataError, match="upsample_rates"):
        checkpoint.load_generator(folder)
    with pytest.raises(DataError, match="there is no vocoder"):
        checkpoint.load_generator(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no vocoder checkpoint"):
        checkpoint.load_generator(tmp_path / "empty")
    write(folder, {}, None, "other.pth")
    with pytest.raises(DataError, match="more than one"):
        checkpoint.load_generator(folder)


def test_a_config_whose_hop_contradicts_its_rates_is_refused(tmp_path):
    mel = TINY_MEL.model_copy(update={"hop_samples": 16})
    with pytest.raises(DataError, match="hop_size is 16"):
        checkpoint.load_generator(write(tmp_path / "voc", HifiGan(TINY1).state_dict(), mel=mel))


def test_another_mel_preset_is_refused_with_both_names(tmp_path):
    folder = write(tmp_path / "voc", HifiGan(HIFIGAN_V3).state_dict(), HIFIGAN_V3, mel=MelShape.published())
    with pytest.raises(ConfigError) as raised:
        load_vocoder(HifiGanOptions(path=folder), "hifigan_16k")
    assert "hifigan_22k" in str(raised.value)
    assert "hifigan_16k" in str(raised.value)
    assert "sample_rate is 22050 and 16000" in str(raised.value)
    assert load_vocoder(HifiGanOptions(path=folder), "hifigan_22k").mel_preset_name == "hifigan_22k"


class Conf(Config):
    vocoder: VocoderOptions = GriffinLimOptions()


def test_a_path_alone_names_the_kind(tmp_path):
    conf = tmp_path / "conf.yaml"
    conf.write_text("{}\n")
    assert load_config(conf, Conf).vocoder == GriffinLimOptions()
    chosen = load_config(conf, Conf, [f"vocoder.path={tmp_path}"]).vocoder
    assert chosen == HifiGanOptions(path=tmp_path)
    conf.write_text("vocoder: {type: griffinlim, n_iter: 7}\n")
    assert isinstance(load_vocoder(load_config(conf, Conf).vocoder, "hifigan_22k"), GriffinLim)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{type: hifigan}", "either path"),
        ("{hub: a/b}", "revision"),
        (f"{{hub: a/b, revision: {'a' * 40}}}", "sha256"),
        ("{hub: a/b, revision: main, sha256: {}}", "revision"),
        ("{hub: a/b, path: here}", "either path"),
        ("{type: griffinlim, path: here}", "path"),
        ("{type: griffinlim, n_iter: 0}", "n_iter"),
    ],
)
def test_vocoder_options_are_checked(tmp_path, text, message):
    (tmp_path / "conf.yaml").write_text(f"vocoder: {text}\n")
    with pytest.raises(ConfigErrors, match=message):
        load_config(tmp_path / "conf.yaml", Conf)


def test_published_weights_copy_real_speech():
    folder = shared_data("data/speech/hifigan_v3_ljspeech")
    preset = MEL_PRESETS["hifigan_22k"]
    vocoder = load_vocoder(HifiGanOptions(path=folder), "hifigan_22k")
    errors = []
    for clip in sorted(shared_data("data/speech/ljspeech300/wavs").iterdir())[:4]:
        audio = read_audio(clip, preset.sample_rate)
        mel = mel_spectrogram(torch.from_numpy(audio.samples)[None], preset)
        samples = vocoder(mel)
        assert samples.shape[1] == mel.shape[1] * preset.hop_samples
        errors.append(mel_l1(mel[0], mel_spectrogram(samples, preset)[0]))
    # 0.338 on average over 12 clips is on record for these weights.
    assert 0.30 < sum(errors) / len(errors) < 0.38
