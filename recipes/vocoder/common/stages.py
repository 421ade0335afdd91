"""The stages that every vocoder recipe shares, in order. Read this page to see what flows where.

Each is declared here and done in the module of its name, which is imported only when the stage runs. A recipe puts its
own `train` between `predict` and `infer`: it makes `vocoder`, the folder that `vocoder.path` of any other recipe names.
"""

from __future__ import annotations

from typing import Any

from speechkd.runner import Context, Output, Stage, stage

#: What `train` reads and depends on in every recipe, besides its generator.
TRAIN_INPUTS = ("manifest", "mels", "predicted")
TRAIN_USES = (
    "corpora.*.name",
    "audio.mel",
    "audio.loudness_dbfs",
    "mels.share",
    "slices",
    "losses",
    "adversarial",
    "train",
)
TRAIN_EXTERNAL = ("corpora.*.dir", "init.path", "init.discriminators")


@stage(
    outputs=("manifest",),
    uses=("corpora.*.name", "corpora.*.options", "corpora.*.limit", "split"),
    external=("corpora.*.dir",),
)
def prepare(cfg: Any, ctx: Context) -> None:
    """Find or make every corpus, report every problem in it, write manifests and the splits."""
    from recipes.vocoder.common.prepare import run

    run(cfg, ctx)


@stage(
    inputs=("manifest",),
    outputs=("mels",),
    uses=("corpora.*.name", "audio.mel", "audio.loudness_dbfs", "run.max_errors"),
    external=("corpora.*.dir",),
    imports=("recipes.vocoder.common.extract", "speechkd.audio.mel", "soundfile"),
)
def extract(cfg: Any, ctx: Context) -> None:
    """The log mel of every clip."""
    from recipes.vocoder.common.extract import run

    run(cfg, ctx)


@stage(
    inputs=("manifest", "mels"),
    outputs=("predicted",),
    uses=("corpora.*.name", "audio.mel", "audio.loudness_dbfs", "mels.variances", "run.max_errors"),
    external=("corpora.*.dir", "mels.predicted"),
    imports=("recipes.tts.common.predicted",),
)
def predict(cfg: Any, ctx: Context) -> None:
    """The mels that an acoustic model predicts of the same clips, with their true durations; none without a model."""
    from recipes.vocoder.common.predict import run

    run(cfg, ctx)


@stage(
    inputs=("manifest", "mels", "predicted", "vocoder"),
    outputs=("samples", Output("timing", volatile=True)),
    uses=("corpora.*.name", "audio.mel", "audio.loudness_dbfs", "compare.*.label", "compare.*.level_db"),
    external=("corpora.*.dir", "compare.*.path"),
)
def infer(cfg: Any, ctx: Context) -> None:
    """Make the held-out clips again from their mels, beside the recordings and what other vocoders make of them."""
    from recipes.vocoder.common.infer import run

    run(cfg, ctx)


@stage(inputs=("samples",), outputs=("scores",), uses=("audio.mel", "score"))
def score(cfg: Any, ctx: Context) -> None:
    """Measure the copies against the recordings."""
    from recipes.vocoder.common.score import run

    run(cfg, ctx)


_SHARED = ("recipe", "corpora", "split", "audio", "mels", "compare", "score")
_LEARNING = ("slices", "losses", "adversarial", "train")


def results_stage(*sections: str) -> Stage:
    """The last stage; `sections` are those of the recipe's own that its results depend on."""

    @stage(
        inputs=("manifest", "mels", "vocoder", "samples", "timing", "scores"),
        outputs=(Output("results", volatile=True),),
        uses=(*_SHARED, *_LEARNING, *sections, "results"),
    )
    def results(cfg: Any, ctx: Context) -> None:
        """Write the results row and the HTML report."""
        from recipes.vocoder.common.results import run

        run(cfg, ctx, sections)

    return results
