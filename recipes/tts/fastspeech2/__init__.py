"""FastSpeech 2 (Ren et al., ICLR 2021): phonemes to mel in one parallel pass, without a teacher."""

from __future__ import annotations

from typing import Any

from recipes.tts.common.stages import align, extract, infer, pack, prepare, results_stage, score, tokenize
from recipes.tts.fastspeech2.config import FastSpeech2Recipe
from recipes.tts.fastspeech2.plan import plan
from speechkd.runner import Context, Recipe, stage


@stage(
    inputs=("manifest", "spoken", "features"),
    outputs=("model",),
    uses=(
        "audio.mel",
        "audio.loudness_dbfs",
        "text",
        "model",
        "augment",
        "loading",
        "loss",
        "teachers",
        "init",
        "train",
    ),
    external=("init.voice", "text.lexicon", "teachers.models", "teachers.prosody", "teachers.texts"),
    version=3,
)
def train(cfg: Any, ctx: Context) -> None:
    """Train on recordings, and on texts that teachers read, if there are any; keep the weights that validate best."""
    from recipes.tts.fastspeech2.train import run

    run(cfg, ctx)


PLAN = plan
RECIPE = Recipe(
    name="tts/fastspeech2",
    config=FastSpeech2Recipe,
    stages=(prepare, tokenize, align, extract, train, infer, score, pack, results_stage("augment", "loss", "teachers")),
    run_dir=lambda cfg: cfg.run.dir,
    base=lambda cfg: cfg.run.base,
)
