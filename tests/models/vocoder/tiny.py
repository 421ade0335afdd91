"""The smallest HiFi-GAN generator for mels of 256 samples a frame, in a folder as published ones are."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file

from speechkd.models.vocoder.config import HifiGanConfig, MelShape, to_published_json
from speechkd.models.vocoder.hifigan import HifiGan

TINY = HifiGanConfig(
    upsample_rates=(16, 16),
    upsample_kernel_sizes=(16, 16),
    upsample_initial_channel=8,
    resblock_kernel_sizes=(3,),
    resblock_dilation_sizes=((1,),),
)
#: Configurations of egs/ that start from something of the user's, and how they are told where it is.
CONFIGURATIONS = {
    "kathleen/vocoder1/conf/default_voice.yaml": ("init.path={}", "mels.predicted=null"),
    "kathleen/vocoder1/conf/default_voice_again.yaml": ("init.path={}", "mels.predicted=null"),
    "kathleen/vocoder1/conf/hifigan_finetuned.yaml": ("init.path={}",),
    "kathleen/vocoder1/conf/istft.yaml": ("teacher.path={}",),
}


def write_generator(folder: Path) -> HifiGan:
    """A generator with random weights, written to `folder`."""
    generator = HifiGan(TINY)
    save_file(generator.state_dict(), folder / "generator.safetensors")
    (folder / "config.json").write_text(json.dumps(to_published_json(TINY, MelShape.published())))
    return generator


def wanted(configuration: Path, folder: Path) -> list[str]:
    """The options that a configuration of egs/ cannot do without, if there are any: KEY=VALUE."""
    settings = CONFIGURATIONS.get("/".join(configuration.parts[-4:]), ())
    return [each.format(folder) for each in settings]
