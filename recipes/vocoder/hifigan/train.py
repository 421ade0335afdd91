"""Training HiFi-GAN's generator, from nothing or from another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from recipes.vocoder.common.train import require_same_sizes, train_generator
from speechkd.audio.presets import mel_preset
from speechkd.models.vocoder.checkpoint import CONFIG_NAME, WEIGHTS_NAME, load_generator
from speechkd.models.vocoder.config import HifiGanConfig, to_published_json
from speechkd.models.vocoder.files import require_same_mel, shape_of
from speechkd.models.vocoder.hifigan import HifiGan
from speechkd.models.vocoder.weight_norm import folded, with_weight_norm
from speechkd.runner import Context


def run(cfg: Any, ctx: Context) -> None:
    """Write `vocoder`: config.json with the published keys, generator.safetensors, history.jsonl; `discriminators`."""

    def build() -> nn.Module:
        generator = HifiGan(cfg.model) if cfg.init.path is None else start(cfg.init.path, cfg.model, cfg.audio.mel)
        return with_weight_norm(generator)

    weights = train_generator(cfg, ctx, build)
    out = ctx.output("vocoder")
    shape = shape_of(mel_preset(cfg.audio.mel))
    text = json.dumps(to_published_json(cfg.model, shape), indent=2, sort_keys=True) + "\n"
    (out / CONFIG_NAME).write_text(text, encoding="utf-8")
    save_file(folded(weights), out / WEIGHTS_NAME)


def start(path: Path, model: HifiGanConfig, mel_preset_name: str) -> HifiGan:
    """The generator at `path`, ready to be trained. ConfigError if it has other sizes or another mel."""
    generator, mel = load_generator(path)
    require_same_mel(mel, mel_preset(mel_preset_name), str(path))
    require_same_sizes(generator.config, model, path)
    return generator.train().requires_grad_(True)
