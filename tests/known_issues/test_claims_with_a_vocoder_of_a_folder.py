"""The claims spoke through Griffin-Lim only: a vocoder of a folder went through JSON, which made its path a text."""

from __future__ import annotations

from pathlib import Path

import torch

from recipes.tts.common.claims.speaking import Voicing
from speechkd.models.vocoder.options import HifiGanOptions
from tests.models.vocoder.tiny import write_generator


def test_a_vocoder_of_a_folder_speaks(tmp_path: Path) -> None:
    generator = write_generator(tmp_path)
    voicing = Voicing(HifiGanOptions(path=tmp_path), "hifigan_22k", level_db=0.0)
    mel = torch.randn(1, 5, 80)
    with torch.inference_mode():
        expected = generator(mel.transpose(1, 2))
    torch.testing.assert_close(voicing.voiced(mel), expected)
    assert voicing.vocoder() is voicing.vocoder()
