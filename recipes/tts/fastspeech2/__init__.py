"""FastSpeech 2 (Ren et al., ICLR 2021): phonemes to mel in one parallel pass, without a teacher."""

from __future__ import annotations

from typing import Any

from recipes.tts.common.stages import align, extract, infer, pack, prepare, results_stage, score, tokenize
from recipes.tts.fastspeech2.config import FastSpeech2Recipe
from speechkd.runner import Context, Recipe, stage


@stage(
    inputs=("manifest", "spoken", "features"),
    outputs=("model",),
    uses=("model", "augment", "loading", "loss", "init", "train"),
    external=("init.voice",),
    version=2,
)
def train(cfg: Any, ctx: Context) -> None:
    """Train on the training utterances; keep the weights with the best validation loss."""
    from recipes.tts.fastspeech2.train import run

    run(cfg, ctx)


RECIPE = Recipe(
    name="tts/fastspeech2",
    config=FastSpeech2Recipe,
    stages=(prepare, tokenize, align, extract, train, infer, score, pack, results_stage("augment", "loss")),
    run_dir=lambda cfg: cfg.run.dir,
    base=lambda cfg: cfg.run.base,
)
