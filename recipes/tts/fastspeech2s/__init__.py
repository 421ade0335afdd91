"""FastSpeech 2s (Ren et al., ICLR 2021): phonemes straight to samples in one parallel pass, without a vocoder."""

from __future__ import annotations

from typing import Any

from recipes.tts.common.stages import align, extract, infer, pack, prepare, results_stage, score, tokenize
from recipes.tts.fastspeech2s.config import FastSpeech2sRecipe
from speechkd.runner import Context, Recipe, stage

OWN_SECTIONS = ("augment", "loss", "slices", "spectral", "adversarial")


@stage(
    inputs=("manifest", "spoken", "features"),
    outputs=("model",),
    uses=("corpus.name", "audio.mel", "audio.loudness_dbfs", "model", "loading", "init", "train", *OWN_SECTIONS),
    external=("corpus.dir", "init.voice", "init.trunk"),
)
def train(cfg: Any, ctx: Context) -> None:
    """Train on whole utterances as mels and on slices of them as samples, late against a discriminator."""
    from recipes.tts.fastspeech2s.train import run

    run(cfg, ctx)


RECIPE = Recipe(
    name="tts/fastspeech2s",
    config=FastSpeech2sRecipe,
    stages=(prepare, tokenize, align, extract, train, infer, score, pack, results_stage(*OWN_SECTIONS)),
    run_dir=lambda cfg: cfg.run.dir,
    base=lambda cfg: cfg.run.base,
)
