"""What the paper of ProDiff claims, measured on finished runs of this repository: the last stage writes the table.

    systems ─┬─ chains ─── quality ─── targets ───┐
             └─ diversity ─── speed ─── speakers ─┴─ table

Each stage in the middle reads the run folders of the systems and writes JSON; the table makes a row of every claim.
"""

from __future__ import annotations

from typing import Any

from recipes.tts.prodiff_claims.config import ProDiffClaimsRecipe
from recipes.tts.prodiff_claims.names import SYSTEMS
from speechkd.runner import Context, Output, Recipe, stage


@stage(outputs=("systems",), external=tuple(f"systems.{name}" for name in SYSTEMS))
def systems(cfg: Any, ctx: Context) -> None:
    """Look which systems have a finished run, and note the digests of what they made."""
    from recipes.tts.prodiff_claims.systems import run

    run(cfg, ctx)


@stage(
    inputs=("systems",), outputs=("chains",), uses=("systems", "chains"), imports=("recipes.tts.prodiff_claims.chains",)
)
def chains(cfg: Any, ctx: Context) -> None:
    """Speak in fewer and fewer steps with a model that predicts the mel, and with one that predicts the noise."""
    from recipes.tts.prodiff_claims.chains import run

    run(cfg, ctx)


@stage(inputs=("systems",), outputs=("quality",), uses=("systems",), imports=("recipes.tts.prodiff_claims.quality",))
def quality(cfg: Any, ctx: Context) -> None:
    """Sharpness and errors of the held-out mels of all systems, and what teacher, student and direct model lose."""
    from recipes.tts.prodiff_claims.quality import run

    run(cfg, ctx)


@stage(
    inputs=("systems",),
    outputs=("targets",),
    uses=("systems", "targets"),
    imports=("recipes.tts.prodiff_claims.targets",),
)
def targets(cfg: Any, ctx: Context) -> None:
    """Measure how much a student's targets vary beside recordings, and what half precision does to them."""
    from recipes.tts.prodiff_claims.targets import run

    run(cfg, ctx)


@stage(
    inputs=("systems",),
    outputs=("diversity",),
    uses=("systems", "diversity"),
    imports=("recipes.tts.prodiff_claims.diversity",),
)
def diversity(cfg: Any, ctx: Context) -> None:
    """Say sentences anew with other noise, and compare the spread of frames with that of the recordings."""
    from recipes.tts.prodiff_claims.diversity import run

    run(cfg, ctx)


@stage(
    inputs=("systems",),
    outputs=(Output("speed", volatile=True),),
    uses=("systems", "audio", "vocoder", "speed"),
    external=("vocoder.path",),
)
def speed(cfg: Any, ctx: Context) -> None:
    """Time teacher, student and FastSpeech 2 at the same lengths, by turns, in this process."""
    from recipes.tts.prodiff_claims.speed import run

    run(cfg, ctx)


@stage(
    inputs=("systems",),
    outputs=("speakers",),
    uses=("systems", "speakers"),
    imports=("recipes.tts.prodiff_claims.speakers",),
)
def speakers(cfg: Any, ctx: Context) -> None:
    """Compare a model of several speakers with those of one, and tell by ear of a classifier who speaks."""
    from recipes.tts.prodiff_claims.speakers import run

    run(cfg, ctx)


@stage(
    inputs=("systems", "chains", "quality", "targets", "diversity", "speed", "speakers"),
    outputs=(Output("table", volatile=True),),
    uses=("corpus", "audio.mel", "vocoder", "causes", "results"),
    external=("vocoder.path",),
)
def table(cfg: Any, ctx: Context) -> None:
    """Write PRODIFF_CLAIMS.md and the HTML report."""
    from recipes.tts.prodiff_claims.table import run

    run(cfg, ctx)


RECIPE = Recipe(
    name="tts/prodiff_claims",
    config=ProDiffClaimsRecipe,
    stages=(systems, chains, quality, targets, diversity, speed, speakers, table),
    run_dir=lambda cfg: cfg.run.dir,
)
