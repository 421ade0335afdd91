"""Reading the held-out clips with a finished model, and films if some are given."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from recipes.lipreading.common.films import crop_films
from recipes.lipreading.common.manifest import ClipManifest
from recipes.lipreading.common.previews import incomplete
from recipes.lipreading.pcpg.dataset import ClipDataset
from speechkd.data.batching import plan_batches
from speechkd.metrics.edits import TextErrors, character_errors, nearest_word, word_errors_of
from speechkd.models.lipreading.load import load_model
from speechkd.models.lipreading.network import LipReader
from speechkd.models.lipreading.search import Written, beam, greedy
from speechkd.models.lipreading.symbols import EOS
from speechkd.runner import Context, ItemStore
from speechkd.training.device import resolve_device

SENTENCES, SCORES, FILMS = "sentences.jsonl", "scores.json", "films.jsonl"
GREEDY, BEAM, FORCED, NEAREST = "greedy", "beam", "forced", "nearest"


def run(cfg: Any, ctx: Context) -> None:
    """Write `decoded`: sentences.jsonl, each held-out clip in every way of reading; scores.json, the error rates; and
    films.jsonl, where films are given.
    """
    manifest = ClipManifest.read(ctx.input("manifest"))
    model, store = load_model(ctx.input("model")), ctx.store("crops")
    model = model.to(torch.device(resolve_device(cfg.train.device)))
    held_in = set(manifest.splits["train"])
    known = {clip.text for clip in manifest.clips if clip.id in held_in}
    rows = read_all(model, store, [id_ for id_ in manifest.splits["test"] if id_ in store], cfg, known)
    write_sentences(ctx.output("decoded") / SENTENCES, rows)
    scores = scores_of(rows)
    log_scores(ctx, scores, "held-out clips")
    if cfg.films:
        scores["films"] = read_films(model, cfg, ctx, known)
        log_scores(ctx, scores["films"], "films")
    (ctx.output("decoded") / SCORES).write_text(json.dumps(scores, indent=1, sort_keys=True), encoding="utf-8")


def read_films(model: LipReader, cfg: Any, ctx: Context, known: Collection[str]) -> dict[str, Any]:
    """Track, crop and read films; write films.jsonl. Returns their scores, with the number of those whose sentence is
    `known` from training, and the films that are incomplete.
    """
    crop = model.config.crop
    store = crop_films(cfg, ctx, (crop.height, crop.width))
    rows = read_all(model, store, store.ids, cfg, known)
    write_sentences(ctx.output("decoded") / FILMS, rows)
    return {
        **scores_of(rows),
        "known": sum(row["text"] in known for row in rows),
        "incomplete": incomplete(store),
    }


def write_sentences(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A line of JSON for each."""
    path.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows), encoding="utf-8")


def log_scores(ctx: Context, scores: Mapping[str, Any], what: str) -> None:
    """Error rates by way of reading."""
    for name, score in scores["systems"].items():
        rates = (100 * score["cer"], 100 * score["wer"])
        ctx.log.info("%d %s, %s: CER %.1f %%, WER %.1f %%", scores["clips"], what, name, *rates)


def read_all(
    model: LipReader, store: ItemStore, ids: Sequence[str], cfg: Any, known: Collection[str]
) -> list[dict[str, Any]]:
    """What is read from clips, by id: greedily, with a beam, and with the true characters before each; if asked for,
    also the nearest of the `known` words to what the beam found.
    """
    dataset = ClipDataset(store, ids, model.characters, model.config.crop)
    rows = _read(model, dataset, cfg.train.batch_frames, cfg.decode)
    if cfg.decode.nearest:
        add_nearest(rows, sorted(known))
    return [{"id": id_, **rows[id_]} for id_ in sorted(rows)]


def _read(model: LipReader, dataset: ClipDataset, batch_frames: int, how: Any) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    decode = model.characters.decode
    device = next(model.parameters()).device
    for ids in plan_batches(dataset.lengths, batch_frames, seed=0, epoch=0):
        batch = dataset.batch(ids).to(device)
        with torch.inference_mode():
            memory = model.encode(batch.frames, batch.lengths)
            alone = greedy(model, memory)
            best = beam(model, memory, how.beam, how.length_power)
            forced = model.score(memory, batch.text[:, None])[:, 0].argmax(dim=-1)
        for place, id_ in enumerate(ids):
            n_true = int(batch.text_lengths[place]) + 1
            rows[id_] = {
                "text": dataset.texts[id_],
                GREEDY: _text(model, alone, place),
                BEAM: _text(model, best, place),
                FORCED: decode(forced[place, :n_true].tolist()),
                "ended": bool((alone.symbols[place, 0] == EOS).any()),
            }
    return rows


def _text(model: LipReader, written: Written, place: int) -> str:
    return model.characters.decode(written.symbols[place, 0].tolist())


def add_nearest(rows: Mapping[str, dict[str, Any]], vocabulary: Sequence[str]) -> None:
    """The word of a vocabulary that is nearest to what the beam found."""
    for row in rows.values():
        row[NEAREST] = nearest_word(row[BEAM], vocabulary)


def errors_of(rows: Sequence[Mapping[str, Any]], system: str) -> tuple[TextErrors, TextErrors]:
    """Errors in characters and in words of a way of reading."""
    references, read = [row["text"] for row in rows], [row[system] for row in rows]
    return character_errors(references, read), word_errors_of(references, read)


def scores_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Error rates by way of reading, in both definitions; how long sentences are, and how many came to an end.

    bias: CER read greedily minus CER with the true characters before each, the gauge of exposure bias.
    """
    systems = {}
    for system in (GREEDY, BEAM, FORCED, NEAREST):
        if system in rows[0]:
            characters, words = errors_of(rows, system)
            systems[system] = {
                "cer": characters.total_rate,
                "cer_mean": characters.mean_rate,
                "wer": words.total_rate,
                "wer_mean": words.mean_rate,
                "right": sum(row["text"] == row[system] for row in rows) / len(rows),
            }
    lengths = [sum(len(row[name]) for row in rows) for name in (GREEDY, "text")]
    return {
        "clips": len(rows),
        "systems": systems,
        "bias": systems[GREEDY]["cer"] - systems[FORCED]["cer"],
        "length": lengths[0] / lengths[1],
        "ended": sum(row["ended"] for row in rows) / len(rows),
    }


def read_sentences(decoded: Path, name: str = SENTENCES) -> list[dict[str, Any]]:
    """The sentences of a finished run, by id; or its films."""
    return [json.loads(line) for line in (decoded / name).read_text(encoding="utf-8").splitlines()]
