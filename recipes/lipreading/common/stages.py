"""The stages that lip-reading recipes share."""

from __future__ import annotations

from typing import Any

from speechkd.runner import Context, stage


@stage(outputs=("manifest",), uses=("corpus.name", "corpus.options", "corpus.limit", "split"), external=("corpus.dir",))
def prepare(cfg: Any, ctx: Context) -> None:
    """Find or make the clips; write the manifest and the split."""
    raise NotImplementedError


@stage(
    inputs=("manifest",),
    outputs=("crops",),
    uses=("corpus.name", "video", "run.max_errors"),
    external=("corpus.dir",),
)
def crops(cfg: Any, ctx: Context) -> None:
    """The mouth in every frame of every clip."""
    raise NotImplementedError
