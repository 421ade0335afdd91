"""Training FastSpeech."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from recipes.tts.common.dataset import silent_symbols
from recipes.tts.common.init import open_start
from recipes.tts.common.manifest import Manifest
from recipes.tts.common.origin import keep_teachers_origin
from recipes.tts.common.texts import Texts
from recipes.tts.common.training import learn, log_size
from recipes.tts.fastspeech.plan import student_plan
from recipes.tts.fastspeech.task import FastSpeechTask, Recordings
from speechkd.distill.fingerprint import fingerprint
from speechkd.distill.store import TargetStore
from speechkd.distill.teacher import StoredTargets
from speechkd.errors import StageError
from speechkd.features.statistics import Statistics
from speechkd.models.tts.fastspeech import FastSpeech
from speechkd.models.tts.fastspeech_config import FastSpeechConfig, FastSpeechNetwork
from speechkd.runner import Context
from speechkd.text import SymbolTable
from speechkd.training.seeds import derive_seed


def run(cfg: Any, ctx: Context) -> None:
    """Write `model`: model.json, model.safetensors (best validation loss), history.jsonl; fine-tuned: transfer.json.

    Where the teacher was fine-tuned, its account is kept as teacher_transfer.json.
    """
    manifest = Manifest.read(ctx.input("manifest"))
    targets, forced = (StoredTargets(_store(ctx, name)) for name in ("targets", "forced"))
    student_plan(cfg.loss).check(targets)
    texts = Texts(ctx.input("spoken"), manifest.speaker_numbers())
    train, valid = _kept(manifest, targets.store)
    statistics = Statistics.read(ctx.input("features") / "stats.json")
    if start := open_start(cfg.init):
        statistics = start.statistics(statistics)
    torch.manual_seed(derive_seed(cfg.train.seed, purpose="weights"))
    model = FastSpeech(model_config(cfg.model, texts.symbols, statistics, manifest.speakers))
    account = start.fill(model, texts.symbols, ctx.log) if start else None
    log_size(ctx, model, len(train))
    beside = [id_ for id_ in manifest.splits["valid"] if id_ in forced.store.items]
    recordings = Recordings(ctx.store("features"), forced, beside) if beside else None
    task = FastSpeechTask(model, texts, targets, (train, valid), cfg.train.batch_frames, cfg.loss, recordings)
    learn(ctx, task, cfg.train, account)
    keep_teachers_origin(ctx.input("teacher"), ctx.output("model"))


def _store(ctx: Context, name: str) -> TargetStore:
    manifest = ctx.record("prepare").outputs["manifest"].digest
    return TargetStore.open(ctx.input(name), manifest_digest=manifest, teacher=fingerprint(ctx.input("teacher")))


def _kept(manifest: Manifest, store: TargetStore) -> tuple[list[str], list[str]]:
    """The training and validation utterances that the teacher can be trusted with. StageError if a part is empty."""
    known = set(store.ids)
    if leaked := known & set(manifest.splits["test"]):
        raise StageError("test utterances are among the targets", where=min(leaked), todo="Run the stage targets again")
    parts = {part: [id_ for id_ in manifest.splits[part] if id_ in known] for part in ("train", "valid")}
    for part, ids in parts.items():
        if not ids:
            raise StageError(
                f"no utterance of {part} has targets", where=str(store.items.folder),
                why="the teacher was trusted with none of them", todo="See rejected.jsonl beside the targets",
            )  # fmt: skip
    return parts["train"], parts["valid"]


def model_config(
    network: FastSpeechNetwork, symbols: SymbolTable, statistics: Statistics, speakers: Sequence[str] = ()
) -> FastSpeechConfig:
    """What rebuilds the model."""
    return FastSpeechConfig(
        network=network,
        n_symbols=len(symbols),
        n_mels=len(statistics.mel_mean),
        pause_ids=silent_symbols(symbols),
        speakers=tuple(speakers) if len(speakers) > 1 else (),
        mel_mean=statistics.mel_mean,
        mel_deviation=statistics.mel_deviation,
    )
