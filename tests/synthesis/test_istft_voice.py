"""A voice with an inverse-STFT vocoder: packed, loaded, and speaking as its parts do."""

from __future__ import annotations

import numpy as np
import torch

from speechkd.models.vocoder.istft import IstftVocoderNetwork
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.models.vocoder.load import IstftVocoder
from speechkd.synthesis import load_voice
from speechkd.synthesis.manifest import IstftPart
from speechkd.text import ENGLISH_SYMBOLS, EnglishFrontend
from tests.synthesis.standin import PRESET, STAND_INS, StandIn, StandInConfig, pack

CONFIG = IstftConfig(channels=16, expanded=16, kernel=3, lookahead=(1, 0))


def test_a_voice_with_an_istft_vocoder_speaks(tmp_path):
    torch.manual_seed(1)
    network = IstftVocoderNetwork(CONFIG).eval()
    manifest = pack(tmp_path / "voice", IstftVocoder(network, PRESET, -3.0))
    assert manifest.vocoder == IstftPart(config=CONFIG, level_db=-3.0)
    voice = load_voice(tmp_path / "voice", STAND_INS)
    tokens = EnglishFrontend().tokens("Did it?")
    torch.manual_seed(0)
    shift = -3.0 / 20 * np.log(10)
    with torch.inference_mode():
        numbers = torch.tensor([ENGLISH_SYMBOLS.encode(tokens.symbols)])
        mel = StandIn(StandInConfig()).infer(numbers, torch.tensor([8])).mel.transpose(1, 2)
        expected = network(mel + shift)[0] * np.exp(-shift)
    # The first and last samples of a line are faded.
    spoken = voice.synthesize("Did it?").samples
    np.testing.assert_allclose(spoken[100:-100], expected.numpy()[100:-100], atol=1e-5)
