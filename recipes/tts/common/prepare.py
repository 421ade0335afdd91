"""From a folder of recordings, or from nothing, to manifests and a split."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from recipes.tts.common.corpora import read_corpus
from recipes.tts.common.manifest import SPLITS, corpus_folder
from speechkd.data.corpus import Corpus
from speechkd.data.manifests import write_manifests, write_videos
from speechkd.data.splits import split_utterances
from speechkd.data.validate import validate_corpus
from speechkd.runner import Context


def run(cfg: Any, ctx: Context) -> None:
    """Write `manifest`: recordings.jsonl, supervisions.jsonl, speakers.json, splits.json, report.json.

    The mini corpus is spoken into the artifact itself, with its exact times in TextGrid/.
    """
    prepare_corpus(cfg.corpus, cfg.split, ctx.output("manifest"), ctx)


def prepare_corpus(section: Any, split: Any, out: Path, ctx: Context) -> None:
    """Do that for one corpus. section, split: as `corpus` and `split` of a configuration; out: an existing folder."""
    if section.name == "mini":
        from recipes.tts.common.corpora.mini import speak_mini_corpus

        speak_mini_corpus(out)
    corpus = read_corpus(section.name, corpus_folder(section, out), section.options)
    corpus = _limited(corpus, section.limit)
    with ctx.progress(len(corpus.utterances), "checking recordings") as bar:
        report = validate_corpus(corpus, jobs=ctx.jobs, on_done=bar.advance)
    report.write_json(out / "report.json")
    for line in report.to_text(max_lines=40).splitlines():
        ctx.log.info("%s", line)
    report.raise_errors()
    write_manifests(corpus, out)
    if any(utterance.video_path for utterance in corpus.utterances):
        write_videos(corpus, out)
    splits = split_utterances(corpus.utterances, split.by, split.valid, split.test, split.seed, split.speakers)
    if splits.get("left_out"):
        ctx.log.info("%d utterances are in no part of the split, see %s", len(splits["left_out"]), SPLITS)
    (out / SPLITS).write_text(json.dumps(splits, indent=1, sort_keys=True), encoding="utf-8")


def _limited(corpus: Corpus, limit: int) -> Corpus:
    if not limit:
        return corpus
    return replace(corpus, utterances=tuple(sorted(corpus.utterances, key=lambda each: each.id)[:limit]))
