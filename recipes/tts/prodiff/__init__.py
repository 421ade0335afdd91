"""ProDiff (Huang et al., ACM MM 2022): phonemes to mel by a few denoising steps; fewer still by distillation."""

from __future__ import annotations

from typing import Any

from recipes.tts.common.stages import align, extract, infer, pack, prepare, results_stage, score, tokenize
from recipes.tts.prodiff.config import ProDiffRecipe
from recipes.tts.prodiff.plan import plan
from speechkd.runner import Context, Recipe, stage

OWN_SECTIONS = ("diffusion", "slices", "augment", "loss")


@stage(
    inputs=("manifest", "spoken", "features"),
    outputs=("model",),
    uses=("audio.mel", "audio.loudness_dbfs", "model", "teacher", "loading", "train", *OWN_SECTIONS),
    external=("teacher.model",),
)
def train(cfg: Any, ctx: Context) -> None:
    """Train on recordings; or, with a teacher, halve its steps. Keep the weights with the best validation loss."""
    if cfg.teacher is None:
        from recipes.tts.prodiff.train import run
    else:
        from recipes.tts.prodiff.distil import run

    run(cfg, ctx)


PLAN = plan
RECIPE = Recipe(
    name="tts/prodiff",
    config=ProDiffRecipe,
    stages=(prepare, tokenize, align, extract, train, infer, score, pack, results_stage(*OWN_SECTIONS)),
    run_dir=lambda cfg: cfg.run.dir,
    base=lambda cfg: cfg.run.base,
)
