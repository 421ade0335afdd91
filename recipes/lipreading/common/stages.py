"""The first stages of every lip-reading recipe, each done in the module of its name."""

from __future__ import annotations

from typing import Any

from speechkd.runner import Context, stage


@stage(outputs=("manifest",), uses=("corpus.name", "corpus.options", "corpus.limit", "split"), external=("corpus.dir",))
def prepare(cfg: Any, ctx: Context) -> None:
    """Read the corpus, list what is wrong in it, write the clips and the split."""
    from recipes.lipreading.common.prepare import run

    run(cfg, ctx)


@stage(
    inputs=("manifest",),
    outputs=("crops", "previews"),
    uses=("corpus.name", "corpus.options", "video", "run.max_errors"),
    external=("corpus.dir",),
    imports=(
        "recipes.lipreading.common.crops",
        "recipes.lipreading.common.previews",
        "recipes.lipreading.common.corpora.packed",
        "speechkd.features.mouth.films",
        "PIL.Image",
    ),
)
def crops(cfg: Any, ctx: Context) -> None:
    """The mouth of every clip as grey pictures; a sheet of each speaker to look at, and where the face was lost."""
    from recipes.lipreading.common.crops import run
    from recipes.lipreading.common.previews import write_previews

    run(cfg, ctx)
    write_previews(cfg, ctx)
