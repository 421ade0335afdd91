"""From a corpus of films to clips and a split."""

from __future__ import annotations

from typing import Any

from recipes.lipreading.common.corpora import read_corpus
from recipes.lipreading.common.corpora.splits import shared_sentences, split_clips
from recipes.lipreading.common.manifest import write_manifest
from speechkd.runner import Context


def run(cfg: Any, ctx: Context) -> None:
    """Write `manifest`: clips.jsonl, splits.json and report.json."""
    section = cfg.corpus
    corpus = read_corpus(section.name, section.dir, section.options)
    clips = sorted(corpus.clips, key=lambda clip: clip.id)[: section.limit or None]
    splits = split_clips(clips, cfg.split)
    vocabulary = sorted({word for clip in clips for word in clip.text.split()})
    report = {
        "clips": len(clips),
        "speakers": len({clip.speaker for clip in clips}),
        "vocabulary": vocabulary,
        "parts": {part: len(ids) for part, ids in splits.items()},
        "held_out_sentences_of_training": shared_sentences(clips, splits),
        "problems": list(corpus.problems),
    }
    ctx.log.info("%d clips, %d words, %d problems", len(clips), len(vocabulary), len(corpus.problems))
    write_manifest(clips, splits, report, ctx.output("manifest"))
