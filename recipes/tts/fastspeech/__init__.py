"""FastSpeech (Ren et al., NeurIPS 2019): phonemes to mel in one parallel pass, taught by a Transformer TTS."""

from __future__ import annotations

from typing import Any

from recipes.tts.common.stages import align, extract, infer, pack, prepare, results_stage, score, tokenize
from recipes.tts.fastspeech.config import FastSpeechRecipe
from recipes.tts.fastspeech.plan import plan
from speechkd.runner import Context, Recipe, stage


@stage(
    inputs=("manifest", "spoken", "features"),
    outputs=("teacher",),
    uses=("teacher", "audio.mel", "audio.loudness_dbfs"),
    external=("teacher.model",),
)
def teach(cfg: Any, ctx: Context) -> None:
    """Take a trained teacher, if it fits this corpus and never heard its test sentences; or train one."""
    from recipes.tts.fastspeech.teach import run

    run(cfg, ctx)


@stage(
    inputs=("manifest", "spoken", "features", "teacher"),
    outputs=("targets", "forced"),
    uses=("targets", "run.max_errors"),
    imports=("recipes.tts.fastspeech.targets", "speechkd.models.tts.transformer"),
)
def targets(cfg: Any, ctx: Context) -> None:
    """The teacher's mel and durations per utterance; list those in which its attention does not follow the text."""
    from recipes.tts.fastspeech.targets import run

    run(cfg, ctx)


@stage(
    inputs=("manifest", "spoken", "features", "teacher", "targets", "forced"),
    outputs=("model",),
    uses=("model", "loss", "init", "train"),
    external=("init.voice",),
)
def train(cfg: Any, ctx: Context) -> None:
    """Train the student on the targets; keep the weights with the best validation loss."""
    from recipes.tts.fastspeech.train import run

    run(cfg, ctx)


PLAN = plan
RECIPE = Recipe(
    name="tts/fastspeech",
    config=FastSpeechRecipe,
    stages=(
        *(prepare, tokenize, align, extract, teach, targets, train, infer, score, pack),
        results_stage("targets", "loss"),
    ),
    run_dir=lambda cfg: cfg.run.dir,
    base=lambda cfg: cfg.run.base,
)
