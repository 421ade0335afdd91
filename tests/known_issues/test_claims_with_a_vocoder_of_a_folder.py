"""The claims spoke through Griffin-Lim only: a vocoder with a path was sent through JSON, which makes the path a text."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from recipes.tts.claims.speaking import Voicing
from speechkd.models.vocoder.config import HifiGanConfig, MelShape, to_published_json
from speechkd.models.vocoder.hifigan import HifiGan
from speechkd.models.vocoder.options import HifiGanOptions

TINY = HifiGanConfig(
    upsample_rates=(16, 16),
    upsample_kernel_sizes=(16, 16),
    upsample_initial_channel=8,
    resblock_kernel_sizes=(3,),
    resblock_dilation_sizes=((1,),),
)


def test_a_vocoder_of_a_folder_speaks(tmp_path: Path) -> None:
    generator = HifiGan(TINY)
    save_file(generator.state_dict(), tmp_path / "generator.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(to_published_json(TINY, MelShape.published())))
    voicing = Voicing(HifiGanOptions(path=tmp_path), "hifigan_22k", level_db=0.0)
    mel = torch.randn(1, 5, 80)
    with torch.inference_mode():
        expected = generator(mel.transpose(1, 2))
    torch.testing.assert_close(voicing.voiced(mel), expected)
    assert voicing.vocoder() is voicing.vocoder()
