"""Training HiFi-GAN's generator, from nothing or from another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from recipes.vocoder.common.train import START, start_discriminators, train_generator
from speechkd.audio.presets import mel_preset
from speechkd.errors import ConfigError
from speechkd.models.vocoder.checkpoint import CONFIG_NAME, WEIGHTS_NAME, load_generator
from speechkd.models.vocoder.config import HifiGanConfig, to_published_json
from speechkd.models.vocoder.discriminators import make_discriminators
from speechkd.models.vocoder.files import files_of, require_same_mel, shape_of, the_weights
from speechkd.models.vocoder.hifigan import HifiGan
from speechkd.models.vocoder.weight_norm import folded, with_weight_norm
from speechkd.runner import Context
from speechkd.runner.digests import file_digest


def run(cfg: Any, ctx: Context) -> None:
    """Write `vocoder`: config.json with the published keys, generator.safetensors, history.jsonl.

    And start.json if it started from another generator: the name of that one's file or folder, and its digest.
    """
    preset = mel_preset(cfg.audio.mel)

    def build() -> nn.Module:
        if cfg.init.path is None:
            return with_weight_norm(HifiGan(cfg.model))
        ctx.log.info("starts from the generator %s", cfg.init.path)
        return with_weight_norm(start(cfg.init.path, cfg.model, cfg.audio.mel))

    def make_opponent() -> nn.Module:
        discriminators = make_discriminators(cfg.adversarial.discriminators)
        if cfg.init.discriminators is not None:
            start_discriminators(discriminators, cfg.init.discriminators)
        return discriminators

    weights = train_generator(cfg, ctx, build, make_opponent)
    out = ctx.output("vocoder")
    text = json.dumps(to_published_json(cfg.model, shape_of(preset)), indent=2, sort_keys=True) + "\n"
    (out / CONFIG_NAME).write_text(text, encoding="utf-8")
    save_file(folded(weights), out / WEIGHTS_NAME)
    if cfg.init.path is not None:
        digest = file_digest(the_weights(files_of(cfg.init.path), str(cfg.init.path)))
        account = {"name": cfg.init.path.name, "sha256": digest}
        (out / START).write_text(json.dumps(account, indent=1, sort_keys=True), encoding="utf-8")


def start(path: Path, model: HifiGanConfig, mel_preset_name: str) -> HifiGan:
    """The generator at `path`, ready to be trained. ConfigError if it has other sizes or another mel."""
    generator, mel = load_generator(path)
    require_same_mel(mel, mel_preset(mel_preset_name), str(path))
    if generator.config != model:
        differing = [name for name in HifiGanConfig.model_fields if _size(generator.config, name) != _size(model, name)]
        name = differing[0]
        why = f"{name} is {_size(generator.config, name)} there and {_size(model, name)} here"
        todo = "Give its sizes to the section model"
        raise ConfigError("the generator of init.path has other sizes", where=str(path), why=why, todo=todo)
    return generator.train().requires_grad_(True)


def _size(config: HifiGanConfig, name: str) -> object:
    return getattr(config, name)
