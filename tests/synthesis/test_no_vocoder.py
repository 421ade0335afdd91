"""A voice whose model makes the samples itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from speechkd.errors import ArtifactError, ConfigError
from speechkd.models.tts.interface import Spoken
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.synthesis import load_voice, pack_voice, read_manifest
from speechkd.synthesis.manifest import NoVocoderPart
from speechkd.text import ENGLISH_SYMBOLS
from tests.synthesis.standin import PRESET, StandIn, StandInConfig


class HummingConfig(StandInConfig):
    hop_samples: int = 256


class Humming(StandIn):
    """Hums every frame; past the end of an utterance it would scream."""

    kind = "humming"
    makes_samples = True

    def infer(self, tokens: Tensor, token_lengths: Tensor, **controls: Any) -> Spoken:
        made = super().infer(tokens, token_lengths, **controls)
        n_samples = int(made.mel_lengths[0]) * 256
        hum = torch.cat([0.3 * torch.sin(torch.arange(n_samples) / 20), torch.full((512,), 5.0)])
        return Spoken(made.mel[:, :0], made.mel_lengths, made.durations, samples=hum[None])


HUMMING = {"humming": lambda config: Humming(HummingConfig.model_validate(dict(config)))}


def pack(folder: Path, **changes: Any) -> None:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        "name": "hum", "acoustic": Humming(HummingConfig()), "vocoder": None, "symbols": ENGLISH_SYMBOLS,
        "mel_preset_name": PRESET, "card": "# hum\n",
    }  # fmt: skip
    pack_voice(folder, **(arguments | changes))


def test_it_speaks_the_models_own_samples(tmp_path: Path) -> None:
    pack(tmp_path / "voice")
    assert read_manifest(tmp_path / "voice").vocoder == NoVocoderPart()
    assert not (tmp_path / "voice" / "vocoder.safetensors").exists()
    speech = load_voice(tmp_path / "voice", HUMMING).synthesize("Hello.")
    assert len(speech.samples) == round(speech.phones[-1].end_s * 22_050)
    expected = 0.3 * np.sin(np.arange(len(speech.samples)) / 20)
    # Its first and last samples are faded.
    np.testing.assert_allclose(speech.samples[100:-100], expected[100:-100], atol=1e-4)


def test_a_vocoder_too_many_and_one_too_few_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has a vocoder"):
        pack(tmp_path / "a", vocoder=GriffinLim(PRESET, 2))
    with pytest.raises(ConfigError, match="needs a vocoder"):
        pack(tmp_path / "b", acoustic=StandIn(StandInConfig()))
    with pytest.raises(ConfigError, match="hop_samples"):
        pack(tmp_path / "c", acoustic=Humming(HummingConfig(hop_samples=240)))
    assert not any(tmp_path.iterdir())


def test_a_voice_of_a_mel_model_without_a_vocoder_says_so(tmp_path: Path) -> None:
    """voice.json is not covered by a digest: it can be edited."""
    pack(tmp_path / "voice", acoustic=StandIn(StandInConfig()), vocoder=GriffinLim(PRESET, 2))
    path = tmp_path / "voice" / "voice.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"vocoder": {"type": "none"}}))
    models = {"standin": lambda config: StandIn(StandInConfig.model_validate(dict(config)))}
    with pytest.raises(ArtifactError, match="its model makes mels, and it has no vocoder"):
        load_voice(tmp_path / "voice", models).synthesize("Hello.")
