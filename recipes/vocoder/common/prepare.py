"""From folders of recordings, or from nothing, to manifests and splits."""

from __future__ import annotations

from typing import Any

from recipes.tts.common.prepare import prepare_corpus
from speechkd.runner import Context


def run(cfg: Any, ctx: Context) -> None:
    """Write `manifest`: a folder per corpus, as the text-to-speech recipes write it, split as they split it."""
    out = ctx.output("manifest")
    for corpus in cfg.corpora:
        (out / corpus.name).mkdir()
        ctx.log.info("corpus %s", corpus.name)
        prepare_corpus(corpus, cfg.split, out / corpus.name, ctx)
