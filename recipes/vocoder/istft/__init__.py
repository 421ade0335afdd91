"""A fast vocoder: mel to pitch and filters by a small network, taught by recordings and by a HiFi-GAN."""

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
    inputs=("manifest", "mels"),
    outputs=("pitch",),
    uses=("corpora.*.name", "audio.mel", "audio.loudness_dbfs"),
    external=("corpora.*.dir",),
    imports=("recipes.vocoder.istft.pitch", "speechkd.features.pitch", "speechkd.features.dio"),
)
def pitch(cfg: Any, ctx: Context) -> None:
    """The pitch of every clip."""
    from recipes.vocoder.istft.pitch import run

    run(cfg, ctx)


@stage(
    inputs=TRAIN_INPUTS,
    outputs=("targets",),
    uses=(
        "corpora.*.name", "audio.mel", "audio.loudness_dbfs", "mels.share", "run.max_errors",
        "teacher.level_db", "teacher.source", "augment",
    ),
    external=("corpora.*.dir", "teacher.path"),
    imports=("recipes.vocoder.istft.targets", "recipes.vocoder.istft.augment", "recipes.vocoder.istft.teacher"),
    version=3,
)  # fmt: skip
def targets(cfg: Any, ctx: Context) -> None:
    """What the teacher says of changed copies of the training clips; nothing without a stored teacher."""
    from recipes.vocoder.istft.targets import run

    run(cfg, ctx)


@stage(
    inputs=(*TRAIN_INPUTS, "pitch", "targets"),
    outputs=("vocoder", "discriminators"),
    uses=(*TRAIN_USES, "model", "teacher", "distill", "augment"),
    external=(*TRAIN_EXTERNAL, "teacher.path"),
    version=3,
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
        *(prepare, extract, pitch, predict, targets, train, infer, score),
        results_stage("model", "teacher", "distill", "augment"),
    ),
    run_dir=lambda cfg: cfg.run.dir,
    base=lambda cfg: cfg.run.base,
)
