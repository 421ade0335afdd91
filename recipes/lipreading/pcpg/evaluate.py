"""Reading the held-out clips with a finished model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from recipes.lipreading.common.manifest import ClipManifest
from recipes.lipreading.pcpg.dataset import ClipDataset
from speechkd.data.batching import plan_batches
from speechkd.metrics.edits import TextErrors, character_errors, nearest_word, word_errors_of
from speechkd.models.lipreading.load import load_model
from speechkd.models.lipreading.network import LipReader
from speechkd.models.lipreading.search import Written, beam, greedy
from speechkd.models.lipreading.symbols import EOS
from speechkd.runner import Context
from speechkd.training.device import resolve_device

SENTENCES, SCORES = "sentences.jsonl", "scores.json"
GREEDY, BEAM, FORCED, NEAREST = "greedy", "beam", "forced", "nearest"


def run(cfg: Any, ctx: Context) -> None:
    """Write `decoded`: sentences.jsonl, each held-out clip in every way of reading; scores.json, the error rates."""
    manifest = ClipManifest.read(ctx.input("manifest"))
    model, store = load_model(ctx.input("model")), ctx.store("crops")
    ids = [id_ for id_ in manifest.splits["test"] if id_ in store]
    dataset = ClipDataset(store, ids, model.characters, model.config.crop)
    device = torch.device(resolve_device(cfg.train.device))
    rows = read_all(model.to(device), dataset, cfg.train.batch_frames, cfg.decode, device)
    if cfg.decode.nearest:
        held_in = set(manifest.splits["train"])
        add_nearest(rows, sorted({clip.text for clip in manifest.clips if clip.id in held_in}))
    out = ctx.output("decoded")
    lines = (json.dumps({"id": id_, **rows[id_]}, sort_keys=True) + "\n" for id_ in sorted(rows))
    (out / SENTENCES).write_text("".join(lines), encoding="utf-8")
    scores = scores_of([rows[id_] for id_ in sorted(rows)])
    (out / SCORES).write_text(json.dumps(scores, indent=1, sort_keys=True), encoding="utf-8")
    for name, score in scores["systems"].items():
        ctx.log.info("%s: CER %.1f %%, WER %.1f %%", name, 100 * score["cer"], 100 * score["wer"])


def read_all(
    model: LipReader, dataset: ClipDataset, batch_frames: int, how: Any, device: torch.device
) -> dict[str, dict[str, Any]]:
    """What is read from every clip of a dataset: greedily, with a beam, and with the true characters before each."""
    rows: dict[str, dict[str, Any]] = {}
    decode = model.characters.decode
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


def read_sentences(decoded: Path) -> list[dict[str, Any]]:
    """The sentences of a finished run, by id."""
    return [json.loads(line) for line in (decoded / SENTENCES).read_text(encoding="utf-8").splitlines()]
