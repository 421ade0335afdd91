"""Transformer TTS (Li et al., AAAI 2019): phonemes to mel, a frame after another. FastSpeech's teacher."""

from __future__ import annotations

from typing import Any

from recipes.tts.common.stages import align, extract, infer, pack, prepare, results_stage, score, tokenize
from recipes.tts.transformer.config import TransformerRecipe
from speechkd.runner import Context, Recipe, stage


@stage(
    inputs=("manifest", "spoken", "features"),
    outputs=("model",),
    uses=("model", "augment", "guide", "loss", "check", "init", "train"),
    external=("init.voice",),
)
def train(cfg: Any, ctx: Context) -> None:
    """Train on the training utterances; keep the weights that align and speak best; choose the head for durations."""
    from recipes.tts.transformer.train import run

    run(cfg, ctx, init=cfg.init)


RECIPE = Recipe(
    name="tts/transformer",
    config=TransformerRecipe,
    stages=(
        *(prepare, tokenize, align, extract, train, infer, score, pack),
        results_stage("augment", "guide", "loss", "check"),
    ),
    run_dir=lambda cfg: cfg.run.dir,
    base=lambda cfg: cfg.run.base,
)
