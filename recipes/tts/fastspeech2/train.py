"""Training FastSpeech 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from recipes.tts.common.dataset import TtsDataset, silent_symbols
from recipes.tts.common.init import open_start
from recipes.tts.common.manifest import Manifest
from recipes.tts.common.training import learn, log_size
from recipes.tts.fastspeech2.task import FastSpeech2Task
from speechkd.features.statistics import Statistics
from speechkd.models.tts.config import FastSpeech2Config, NetworkConfig, VarianceStatistics
from speechkd.models.tts.fastspeech2 import FastSpeech2
from speechkd.runner import Context
from speechkd.text import SymbolTable
from speechkd.training.seeds import derive_seed


def run(cfg: Any, ctx: Context) -> None:
    """Write `model`: model.json, model.safetensors (best validation loss), history.jsonl; fine-tuned: transfer.json."""
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
    learn(ctx, task, cfg.train, account)


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
