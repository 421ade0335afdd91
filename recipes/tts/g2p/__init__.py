"""Spelling to sound for American English: the words that no lexicon lists, learnt from the CMU dictionary."""

from __future__ import annotations

from typing import Any

from recipes.tts.g2p.config import G2pRecipe
from speechkd.runner import Context, Output, Recipe, stage


@stage(outputs=("dictionary",), uses=("split",))
def prepare(cfg: Any, ctx: Context) -> None:
    """List the dictionary's words with their pronunciations; hold words out by chance."""
    from recipes.tts.g2p.dictionary import run

    run(cfg, ctx)


@stage(inputs=("dictionary",), outputs=("tagged",), uses=("align",))
def align(cfg: Any, ctx: Context) -> None:
    """Find which letter makes which phones."""
    from recipes.tts.g2p.align import run

    run(cfg, ctx)


@stage(inputs=("dictionary", "tagged"), outputs=("model",), uses=("model", "train"))
def train(cfg: Any, ctx: Context) -> None:
    """Train on the training words; keep the weights with the fewest wrong validation words."""
    from recipes.tts.g2p.train import run

    run(cfg, ctx)


@stage(inputs=("model",), outputs=("packed",), uses=("recipe", "pack"))
def pack(cfg: Any, ctx: Context) -> None:
    """Write the weights in the form in which the package ships them."""
    from recipes.tts.g2p.pack import run

    run(cfg, ctx)


@stage(
    inputs=("dictionary", "tagged", "packed"),
    outputs=("scores", Output("timing", volatile=True)),
    uses=("score", "model", "train"),
)
def score(cfg: Any, ctx: Context) -> None:
    """Say the held-out words with the packed weights; count errors, beside the letter rules; count normaliser cases."""
    from recipes.tts.g2p.score import run

    run(cfg, ctx)


@stage(
    inputs=("dictionary", "model", "packed", "scores", "timing"),
    outputs=(Output("results", volatile=True),),
    uses=("recipe", "split", "align", "model", "train", "score", "results"),
)
def results(cfg: Any, ctx: Context) -> None:
    """Write the tables."""
    from recipes.tts.g2p.results import run

    run(cfg, ctx)


RECIPE = Recipe(
    name="tts/g2p",
    config=G2pRecipe,
    stages=(prepare, align, train, pack, score, results),
    run_dir=lambda cfg: cfg.run.dir,
)
