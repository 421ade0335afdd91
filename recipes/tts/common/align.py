"""When each phone is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recipes.tts.common.manifest import Manifest
from speechkd.align import Alignment, AlignOptions, Interval, make_aligner, write_textgrid
from speechkd.audio.io import read_audio
from speechkd.runner import Context, Item, ItemStore
from speechkd.text import Tokens


def run(cfg: Any, ctx: Context) -> None:
    """Write `alignment`: an item and a TextGrid per utterance; errors.jsonl lists what could not be aligned."""
    manifest = Manifest.read(ctx.input("manifest"))
    tokens = ItemStore(ctx.input("tokens"))
    items = [
        (utterance.id, (manifest.audio_path(utterance, cfg.corpus), tokens.meta(utterance.id)))
        for utterance in manifest.utterances
        if utterance.id in tokens
    ]
    ctx.map(_align, items, "alignment", common=cfg.align, max_errors=cfg.run.max_errors)
    out = ctx.output("alignment")
    store = ItemStore(out)
    (out / "TextGrid").mkdir()
    for id_ in store.ids:
        write_textgrid(out / "TextGrid" / f"{id_}.TextGrid", alignment_from_json(store.meta(id_)))
    _compare_with_reference(ctx, out)


def _align(id_: str, item: tuple[Path, dict[str, Any]], options: AlignOptions) -> Item:
    path, tokens = item
    audio = read_audio(path)
    aligner = make_aligner(options)
    alignment = aligner.align(audio.samples, audio.sample_rate, Tokens.from_json(tokens), utterance_id=id_)
    return Item(meta=alignment_to_json(alignment))


def alignment_to_json(alignment: Alignment) -> dict[str, Any]:
    """An alignment as JSON: intervals as [start_s, end_s, label], in tenths of a millisecond."""

    def rows(intervals: tuple[Interval, ...]) -> list[list[Any]]:
        return [[round(each.start_s, 4), round(each.end_s, 4), each.label] for each in intervals]

    return {
        "words": rows(alignment.words),
        "phones": rows(alignment.phones),
        "duration_s": round(alignment.duration_s, 4),
    }


def alignment_from_json(data: dict[str, Any]) -> Alignment:
    """Undo `alignment_to_json`."""
    words, phones = (tuple(Interval(*row) for row in data[tier]) for tier in ("words", "phones"))
    return Alignment(words, phones, data["duration_s"])


def _compare_with_reference(ctx: Context, out: Path) -> None:
    """Where the corpus brings exact times (the mini corpus does), say how far off the aligner is."""
    from speechkd.align.compare import compare_alignments

    reference = ctx.input("manifest") / "TextGrid"
    if not reference.is_dir():
        return
    compared = compare_alignments(reference, out / "TextGrid")
    text = json.dumps(compared.to_json(), indent=1, sort_keys=True)
    (out / "against_reference.json").write_text(text, encoding="utf-8")
    both = compared.both
    ctx.log.info(
        "%d word boundaries against the corpus's own times: mean error %.1f ms, median %.1f ms, bias %.1f ms",
        both.boundaries, both.mean_ms, both.median_ms, both.bias_ms,
    )  # fmt: skip
