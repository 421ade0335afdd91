"""The folder of an inverse-STFT vocoder: written, read, named in a recipe, packed into a voice, and refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file

from speechkd.audio.presets import mel_preset
from speechkd.errors import ConfigError, DataError
from speechkd.models.vocoder.files import check_vocoder, shape_of, vocoder_problem
from speechkd.models.vocoder.istft import IstftVocoderNetwork
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.models.vocoder.istft_store import load_istft, save_istft
from speechkd.models.vocoder.load import IstftVocoder, load_vocoder
from speechkd.models.vocoder.options import HifiGanOptions, IstftOptions, VocoderOptions

PRESET = mel_preset("hifigan_22k")
CONFIG = IstftConfig(channels=8, expanded=8, kernel=3, lookahead=(1, 0))
OPTIONS = TypeAdapter(VocoderOptions)


@pytest.fixture(name="folder")
def _folder(tmp_path):
    torch.manual_seed(0)
    save_istft(tmp_path, IstftVocoderNetwork(CONFIG), shape_of(PRESET))
    return tmp_path


def rewrite(folder, **changes):
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | changes))


class TestFolder:
    def test_comes_back_as_it_was(self, folder):
        torch.manual_seed(0)
        expected = IstftVocoderNetwork(CONFIG).eval()
        network, mel = load_istft(folder)
        assert network.config == CONFIG and mel == shape_of(PRESET)
        assert not network.training and not any(p.requires_grad for p in network.parameters())
        x = torch.randn(1, 80, 6)
        assert torch.equal(network(x), expected(x))

    def test_equal_networks_make_equal_bytes(self, folder, tmp_path):
        (tmp_path / "again").mkdir()
        save_istft(tmp_path / "again", load_istft(folder)[0], shape_of(PRESET))
        for name in ("config.json", "generator.safetensors"):
            assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()

    def test_half_precision_is_read(self, folder):
        state = load_file(folder / "generator.safetensors")
        save_file({name: value.half() for name, value in state.items()}, folder / "generator.safetensors")
        network, _ = load_istft(folder)
        assert {p.dtype for p in network.parameters()} == {torch.float32}

    def test_other_weights(self, folder):
        rewrite(folder, config=CONFIG.model_copy(update={"channels": 16}).model_dump(mode="json"))
        with pytest.raises(DataError, match="weights do not fit"):
            load_istft(folder)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"config": {"channels": 0}}, "channels"),
            ({"config": {"widths": 3}}, "widths"),
            ({"config": {"lookahead": [9]}}, "lookahead"),
            ({"config": {"hop_samples": 128}}, "128 samples"),
            ({"mel": {}}, "sample_rate"),
            ({"model": "vocos"}, "not an inverse-STFT vocoder"),
        ],
    )
    def test_wrong_configs(self, folder, changes, message):
        rewrite(folder, **changes)
        with pytest.raises(DataError, match=message):
            load_istft(folder)


class TestOptions:
    def test_a_path_is_enough(self, folder, tmp_path):
        for path in (folder, folder / "generator.safetensors"):
            assert OPTIONS.validate_python({"path": str(path)}) == IstftOptions(path=path)
        (tmp_path / "other").mkdir()
        assert isinstance(OPTIONS.validate_python({"path": str(tmp_path / "other")}), HifiGanOptions)

    def test_loads_as_a_vocoder(self, folder):
        vocoder = load_vocoder(OPTIONS.validate_python({"path": str(folder)}), PRESET.name)
        assert isinstance(vocoder, IstftVocoder)
        assert vocoder(torch.randn(2, 5, 80)).shape == (2, 5 * 256)

    def test_level(self, folder):
        mel = torch.randn(1, 5, 80)
        plain, loud = (load_vocoder(IstftOptions(path=folder), PRESET.name, level_db=db) for db in (0.0, 20.0))
        shift = float(torch.log(torch.tensor(10.0)))
        torch.testing.assert_close(loud(mel), plain(mel + shift) / 10, atol=1e-5, rtol=1e-4)

    def test_another_mel(self, folder):
        mel = shape_of(PRESET).model_copy(update={"fmax_hz": 11025.0})
        rewrite(folder, mel=mel.model_dump(mode="json"))
        with pytest.raises(ConfigError, match="fmax_hz is 11025 and 8000"):
            load_vocoder(IstftOptions(path=folder), PRESET.name)
        assert "fmax_hz" in str(vocoder_problem(folder, PRESET))

    def test_is_checked_without_weights_being_read(self, folder):
        (folder / "generator.safetensors").write_bytes(b"")
        check_vocoder(folder, PRESET)

    def test_named_as_another_kind(self, folder, tmp_path):
        with pytest.raises(DataError):
            load_vocoder(HifiGanOptions(path=folder), PRESET.name)
        other = tmp_path / "hifigan"
        other.mkdir()
        save_file({"x": torch.zeros(1)}, other / "generator.safetensors")
        (other / "config.json").write_text('{"resblock": "1"}')
        with pytest.raises(DataError, match="not an inverse-STFT vocoder"):
            load_vocoder(IstftOptions(path=other), PRESET.name)

    def test_reading_a_recipe_needs_no_torch(self, folder):
        code = (
            "import sys; from pydantic import TypeAdapter; from speechkd.models.vocoder.options import VocoderOptions\n"
            f"assert TypeAdapter(VocoderOptions).validate_python({{'path': {str(folder)!r}}}).type == 'istft'\n"
            "assert 'torch' not in sys.modules"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
