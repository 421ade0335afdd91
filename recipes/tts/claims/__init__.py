"""What the FastSpeech papers claim, measured on finished runs of this repository: the last stage writes the table.

    systems ─┬─ speed ─── robustness ─── control ─── targets ───┐
             └─ durations ─ training ─ pitch ─ ablation ────────┴─ table

Each stage in the middle reads the run folders of the systems and writes JSON; the table makes a row of every claim.
"""

from __future__ import annotations

from typing import Any

from recipes.tts.claims.config import ClaimsRecipe
from recipes.tts.claims.names import SYSTEMS
from speechkd.runner import Context, Output, Recipe, stage

_SPEAKING = ("systems", "audio", "vocoder")


@stage(outputs=("systems",), external=tuple(f"systems.{name}" for name in SYSTEMS))
def systems(cfg: Any, ctx: Context) -> None:
    """Look which systems have a finished run, and note the digests of what they made."""
    from recipes.tts.claims.systems import run

    run(cfg, ctx)


@stage(
    inputs=("systems",),
    outputs=(Output("speed", volatile=True),),
    uses=(*_SPEAKING, "speed"),
    external=("vocoder.path",),
)
def speed(cfg: Any, ctx: Context) -> None:
    """Time all systems at the same lengths, by turns, in this process."""
    from recipes.tts.claims.speed import run

    run(cfg, ctx)


@stage(
    inputs=("systems",),
    outputs=("hard_sentences", "listener", "robustness"),
    uses=(*_SPEAKING, "text", "robustness"),
    external=("vocoder.path", "text.lexicon"),
    imports=("recipes.tts.claims.robustness",),
)
def robustness(cfg: Any, ctx: Context) -> None:
    """Speak the hard sentences and count what was skipped or said again; test the listener on recordings."""
    from recipes.tts.claims.robustness import run

    run(cfg, ctx)


@stage(
    inputs=("systems",),
    outputs=("controlled", "control"),
    uses=(*_SPEAKING, "control"),
    external=("vocoder.path",),
    imports=("recipes.tts.claims.control",),
)
def control(cfg: Any, ctx: Context) -> None:
    """Speak slower and faster, and with breaks between words."""
    from recipes.tts.claims.control import run

    run(cfg, ctx)


@stage(inputs=("systems",), outputs=("targets",), uses=("systems", "targets"))
def targets(cfg: Any, ctx: Context) -> None:
    """Measure how varied and how sharp distilled targets are beside recordings, and what is learnt from either."""
    from recipes.tts.claims.targets import run

    run(cfg, ctx)


@stage(
    inputs=("systems",),
    outputs=("attended", "durations"),
    uses=("systems", "durations", "audio.mel"),
    external=("durations.reference",),
    imports=("recipes.tts.claims.durations",),
)
def durations(cfg: Any, ctx: Context) -> None:
    """Compare the boundaries of the teacher's attention, and of the aligner, with a reference."""
    from recipes.tts.claims.durations import run

    run(cfg, ctx)


# Seconds are no content of any artifact: they are read from the records in the run folders, or measured.
@stage(
    inputs=("systems",),
    outputs=(Output("training", volatile=True),),
    uses=("systems", "training"),
    external=("systems.teacher", "systems.fastspeech", "systems.fastspeech2"),
)
def training(cfg: Any, ctx: Context) -> None:
    """Time the steps of trainings by turns, and add up how long they took, to the end and to the same loss."""
    from recipes.tts.claims.training import run

    run(cfg, ctx)


@stage(
    inputs=("systems",),
    outputs=("contours", "pitch"),
    uses=("systems", "audio.mel", "pitch"),
    imports=("recipes.tts.claims.pitch",),
)
def pitch(cfg: Any, ctx: Context) -> None:
    """Compare pitch and energy of spoken held-out sentences with the recordings."""
    from recipes.tts.claims.pitch import run

    run(cfg, ctx)


@stage(
    inputs=("systems",),
    outputs=("mel_losses", "ablation"),
    uses=("systems", "ablation"),
    imports=("recipes.tts.claims.ablation",),
)
def ablation(cfg: Any, ctx: Context) -> None:
    """Mel losses of every system in evaluation mode: training and validation, true and predicted variances."""
    from recipes.tts.claims.ablation import run

    run(cfg, ctx)


@stage(
    inputs=(
        *("systems", "speed", "robustness", "control", "targets"),
        *("durations", "training", "contours", "pitch", "ablation"),
    ),
    outputs=(Output("table", volatile=True),),
    uses=("corpus", "vocoder", "causes", "results"),
    external=("vocoder.path", "durations.reference"),
    version=2,
)
def table(cfg: Any, ctx: Context) -> None:
    """Write CLAIMS.md and the HTML report."""
    from recipes.tts.claims.table import run

    run(cfg, ctx)


RECIPE = Recipe(
    name="tts/claims",
    config=ClaimsRecipe,
    stages=(systems, speed, robustness, control, targets, durations, training, pitch, ablation, table),
    run_dir=lambda cfg: cfg.run.dir,
)
