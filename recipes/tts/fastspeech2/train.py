"""Training FastSpeech 2."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from recipes.tts.common.dataset import TtsDataset, silent_symbols
from recipes.tts.common.init import open_start
from recipes.tts.common.manifest import Manifest
from recipes.tts.common.origin import Taught, keep_teachers_origin
from recipes.tts.common.training import learn, log_size
from recipes.tts.fastspeech2.config import TeachersSection
from recipes.tts.fastspeech2.plan import plan
from recipes.tts.fastspeech2.readers import open_readers
from recipes.tts.fastspeech2.sentences import open_sentences
from recipes.tts.fastspeech2.task import FastSpeech2Task
from recipes.tts.fastspeech2.taught import TaughtTask
from speechkd.distill.fingerprint import fingerprint
from speechkd.features.statistics import Statistics
from speechkd.models.tts.config import FastSpeech2Config, NetworkConfig, VarianceStatistics
from speechkd.models.tts.fastspeech2 import FastSpeech2
from speechkd.models.tts.load import load_model
from speechkd.models.tts.transfer import transfer_weights
from speechkd.runner import Context
from speechkd.text import SymbolTable
from speechkd.training.seeds import derive_seed


def run(cfg: Any, ctx: Context) -> None:
    """Write `model`: model.json, model.safetensors (best validation loss), history.jsonl.

    Beside them, of a model that was fine-tuned, transfer.json; of one that teachers read to, taught.json.
    """
    manifest = Manifest.read(ctx.input("manifest"))
    dataset = TtsDataset(ctx.input("features"), ctx.input("spoken"), cfg.model, manifest.speaker_numbers())
    if start := open_start(cfg.init):
        dataset.statistics = start.statistics(dataset.statistics)
    train, valid = dataset.learned_and_chosen_by(manifest.splits)
    torch.manual_seed(derive_seed(cfg.train.seed, purpose="weights"))
    model = FastSpeech2(model_config(cfg.model, dataset.symbols, dataset.statistics, manifest.speakers))
    account = start.fill(model, dataset.symbols, ctx.log) if start else None
    log_size(ctx, model, len(train))
    task = FastSpeech2Task(
        model, dataset, train, valid, cfg.train.batch_frames, cfg.augment, cfg.loading.window_shards, cfg.loss.mel
    )
    if cfg.teachers is None:
        learn(ctx, task, cfg.train, account)
        return
    taught = _taught(cfg, ctx, task)
    learn(ctx, taught, cfg.train, account)
    _tell(cfg.teachers, len(taught.sentences), ctx.output("model"))


def _tell(teachers: TeachersSection, n_texts: int, model: Path) -> None:
    """Who taught the model, and what they come from, in files beside it."""
    assert teachers.texts is not None  # they were read
    Taught(tuple(map(fingerprint, teachers.folders())), teachers.texts.name, n_texts).write(model)
    for folder in teachers.folders():
        keep_teachers_origin(folder, model)


def _taught(cfg: Any, ctx: Context, recorded: FastSpeech2Task) -> TaughtTask:
    manifest, spoken = ctx.input("manifest"), ctx.input("spoken")
    readers = open_readers(cfg.teachers.models, cfg.teachers.prosody, cfg.model, manifest, spoken, cfg.audio)
    plan(cfg).check(readers)
    ctx.log.info("taught by %d models, fingerprint %s", len(cfg.teachers.folders()), readers.fingerprint[:16])
    if cfg.teachers.start == "first":
        begin_as(recorded.model, load_model(cfg.teachers.models[0]), recorded.dataset.symbols, ctx.log)
    sentences = open_sentences(cfg, manifest, recorded.dataset.symbols, ctx.log)
    task = TaughtTask(recorded, sentences, readers, cfg.teachers.share)
    if too_long := len(sentences) - len(task.sentences):
        ctx.log.info("left out: %d texts that are longer than a batch", too_long)
    return task


def begin_as(model: Any, teacher: Any, symbols: SymbolTable, log: logging.Logger) -> None:
    """Give a student its teacher's weights, so that it begins by saying what the teacher says.

    What pitch and energy add to the states, and the teacher has not, is nothing at first.
    """
    done = transfer_weights(model, teacher, symbols.symbols, symbols.symbols)
    for name, weight in model.named_parameters():
        if name.endswith("embedding.weight") and name not in done.copied:
            torch.nn.init.zeros_(weight)
    log.info("starts from its first teacher: %.1f %% of the values", 100 * done.share)


def model_config(
    network: NetworkConfig, symbols: SymbolTable, statistics: Statistics, speakers: Sequence[str] = ()
) -> FastSpeech2Config:
    """What rebuilds the model: sizes, symbols that may be silent, speakers, and the corpus statistics."""
    return FastSpeech2Config(
        network=network,
        n_symbols=len(symbols),
        n_mels=len(statistics.mel_mean),
        pause_ids=silent_symbols(symbols),
        speakers=tuple(speakers) if len(speakers) > 1 else (),
        statistics=VarianceStatistics(**vars(statistics)),
    )
