"""PCPG (Luo et al., FG 2020, arXiv 2003.03983): lip reading with attention; cross-entropy, then policy gradients."""

from __future__ import annotations

from typing import Any

from recipes.lipreading.common.stages import crops, prepare
from recipes.lipreading.pcpg.config import PcpgRecipe
from speechkd.runner import Context, Output, Recipe, stage


@stage(
    inputs=("manifest", "crops"),
    outputs=("model",),
    uses=("model", "augment", "curriculum", "loss", "objective", "init.freeze_batch_norm", "train"),
    external=("init.path",),
)
def train(cfg: Any, ctx: Context) -> None:
    """Train on the training clips, from chance or from a finished model."""
    from recipes.lipreading.pcpg.train import run

    run(cfg, ctx)


_FILM_OPTIONS = ("video.window", "video.resample", "video.keep_broken", "video.most_lost")


@stage(
    inputs=("manifest", "crops", "model"),
    outputs=("decoded",),
    uses=("decode", "train.device", "train.batch_frames", *_FILM_OPTIONS),
    external=("films",),
    imports=("recipes.lipreading.common.crops", "speechkd.features.mouth.films"),
)
def evaluate(cfg: Any, ctx: Context) -> None:
    """Read the held-out clips, and films if some are given, greedily and with a beam, and count errors."""
    from recipes.lipreading.pcpg.evaluate import run

    run(cfg, ctx)


@stage(
    inputs=("manifest", "crops", "model"),
    outputs=(Output("timing", volatile=True),),
    uses=("throughput", "objective", "train.device", "train.threads"),
)
def throughput(cfg: Any, ctx: Context) -> None:
    """Time a step of cross-entropy and one with a policy gradient, and their parts."""
    from recipes.lipreading.pcpg.throughput import run

    run(cfg, ctx)


_SHOWN = ("recipe", "corpus", "split", "video", "model", "augment", "curriculum", "loss", "objective", "train")


@stage(
    inputs=("manifest", "crops", "previews", "model", "decoded", "timing"),
    outputs=(Output("results", volatile=True),),
    uses=(*_SHOWN, "decode", "results"),
)
def results(cfg: Any, ctx: Context) -> None:
    """Write the results section and the HTML report."""
    from recipes.lipreading.pcpg.results import run

    run(cfg, ctx)


RECIPE = Recipe(
    name="lipreading/pcpg",
    config=PcpgRecipe,
    stages=(prepare, crops, train, evaluate, throughput, results),
    run_dir=lambda cfg: cfg.run.dir,
    base=lambda cfg: cfg.run.base,
)
