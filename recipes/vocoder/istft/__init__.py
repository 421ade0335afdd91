"""A fast vocoder: mel to a short-time spectrum by a small network, taught by a HiFi-GAN and by recordings."""

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
from recipes.vocoder.istft.config import IstftRecipe
from recipes.vocoder.istft.plan import plan
from speechkd.runner import Context, Recipe, stage


@stage(
    inputs=TRAIN_INPUTS,
    outputs=("targets",),
    uses=(
        "corpora.*.name", "audio.mel", "audio.loudness_dbfs", "mels.share", "run.max_errors",
        "teacher.level_db", "teacher.source", "augment",
    ),
    external=("corpora.*.dir", "teacher.path"),
    imports=("recipes.vocoder.istft.targets", "recipes.vocoder.istft.augment", "recipes.vocoder.istft.teacher"),
    version=2,
)  # fmt: skip
def targets(cfg: Any, ctx: Context) -> None:
    """The teacher's samples for the training clips and for changed copies of them; none without a stored teacher."""
    from recipes.vocoder.istft.targets import run

    run(cfg, ctx)


@stage(
    inputs=(*TRAIN_INPUTS, "targets"),
    outputs=("vocoder", "discriminators"),
    uses=(*TRAIN_USES, "model", "teacher", "distill", "augment"),
    external=(*TRAIN_EXTERNAL, "teacher.path"),
    version=2,
)
def train(cfg: Any, ctx: Context) -> None:
    """Train the network on recordings, on its teacher's samples, and in a game; write the folder that speaks."""
    from recipes.vocoder.istft.train import run

    run(cfg, ctx)


PLAN = plan
RECIPE = Recipe(
    name="vocoder/istft",
    config=IstftRecipe,
    stages=(
        *(prepare, extract, predict, targets, train, infer, score),
        results_stage("model", "teacher", "distill", "augment"),
    ),
    run_dir=lambda cfg: cfg.run.dir,
    base=lambda cfg: cfg.run.base,
)
