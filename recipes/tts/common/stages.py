"""The stages that every text-to-speech recipe shares, in order. Read this page to see what flows where.

Each is declared here and done in the module of its name, which is imported only when the stage runs: listing a
recipe's state needs neither torch nor the corpus.
"""

from __future__ import annotations

from typing import Any

from speechkd.runner import Context, Output, Stage, stage


@stage(outputs=("manifest",), uses=("corpus.name", "corpus.options", "corpus.limit", "split"), external=("corpus.dir",))
def prepare(cfg: Any, ctx: Context) -> None:
    """Find or make the corpus, report every problem in it, write manifests and the split."""
    from recipes.tts.common.prepare import run

    run(cfg, ctx)


@stage(
    inputs=("manifest",), outputs=("tokens",), uses=("text", "run.max_errors"), external=("text.lexicon",), version=2
)
def tokenize(cfg: Any, ctx: Context) -> None:
    """Text to phones with stress and pauses; list every word that the lexicon does not know."""
    from recipes.tts.common.tokenize import run

    run(cfg, ctx)


@stage(
    inputs=("manifest", "tokens"),
    outputs=("alignment", "spoken"),
    uses=("corpus.name", "align", "run.max_errors"),
    external=("corpus.dir", "align.folder", "align.model", "align.config"),
)
def align(cfg: Any, ctx: Context) -> None:
    """When each phone is said, and which pronunciation; list every utterance that cannot be aligned."""
    from recipes.tts.common.align import run

    run(cfg, ctx)


@stage(
    inputs=("manifest", "spoken", "alignment"),
    outputs=("features",),
    uses=("corpus.name", "audio.mel", "audio.loudness_dbfs", "features", "run.max_errors"),
    external=("corpus.dir",),
    imports=(
        "recipes.tts.common.extract",
        "speechkd.audio.mel",
        "speechkd.features.dio",
        "speechkd.features.energy",
        "speechkd.features.pitch",
        "soundfile",
    ),
    version=2,
)
def extract(cfg: Any, ctx: Context) -> None:
    """Mel, F0, energy and durations per utterance; statistics of the training utterances."""
    from recipes.tts.common.extract import run

    run(cfg, ctx)


@stage(
    inputs=("manifest", "spoken", "features", "model"),
    outputs=("samples", Output("timing", volatile=True)),
    uses=("corpus.name", "text", "audio", "vocoder"),
    external=("corpus.dir", "text.lexicon", "vocoder.path"),
)
def infer(cfg: Any, ctx: Context) -> None:
    """Speak the held-out sentences, with true and with predicted durations, beside the recordings."""
    from recipes.tts.common.infer import run

    run(cfg, ctx)


@stage(inputs=("manifest", "spoken", "samples"), outputs=("scores",), uses=("score", "audio.mel"))
def score(cfg: Any, ctx: Context) -> None:
    """Measure the spoken sentences against the recordings."""
    from recipes.tts.common.score import run

    run(cfg, ctx)


@stage(
    inputs=("tokens", "model", "scores"),
    outputs=("voice",),
    uses=(
        "recipe",
        "pack",
        "audio.mel",
        "audio.vocoder_level_db",
        "vocoder",
        "text",
        "corpus",
        "train",
        "results.conf",
    ),
    external=("text.lexicon", "vocoder.path"),
    version=2,
)
def pack(cfg: Any, ctx: Context) -> None:
    """Put the model, the vocoder and the symbols into one folder that speaks by itself."""
    from recipes.tts.common.pack import run

    run(cfg, ctx)


_SHARED = ("recipe", "corpus", "split", "text", "audio", "align", "features", "model", "train", "vocoder", "score")


def results_stage(*sections: str) -> Stage:
    """The last stage; `sections` are those of the recipe's own that its results depend on."""

    @stage(
        inputs=("manifest", "spoken", "alignment", "features", "model", "samples", "timing", "scores", "voice"),
        outputs=(Output("results", volatile=True),),
        uses=(*_SHARED, *sections, "pack.onnx", "pack.int8", "results"),
    )
    def results(cfg: Any, ctx: Context) -> None:
        """Write the results row and the HTML report."""
        from recipes.tts.common.results import run

        run(cfg, ctx, sections)

    return results
