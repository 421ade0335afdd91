"""HiFi-GAN (Kong, Kim, Bae, NeurIPS 2020): mel to samples, learned in a game; from nothing or from a generator."""

from __future__ import annotations

from typing import Any

from recipes.vocoder.common.stages import (
    TRAIN_EXTERNAL,
    TRAIN_INPUTS,
    TRAIN_USES,
    extract,
    infer,
    predict,
    prepare,
    results_stage,
    score,
)
from recipes.vocoder.hifigan.config import HifiGanRecipe
from speechkd.runner import Context, Recipe, stage


@stage(
    inputs=TRAIN_INPUTS,
    outputs=("vocoder", "discriminators"),
    uses=(*TRAIN_USES, "model"),
    external=TRAIN_EXTERNAL,
)
def train(cfg: Any, ctx: Context) -> None:
    """Train the generator against the discriminators; write the folder that speaks."""
    from recipes.vocoder.hifigan.train import run

    run(cfg, ctx)


RECIPE = Recipe(
    name="vocoder/hifigan",
    config=HifiGanRecipe,
    stages=(prepare, extract, predict, train, infer, score, results_stage("model")),
    run_dir=lambda cfg: cfg.run.dir,
    base=lambda cfg: cfg.run.base,
)
