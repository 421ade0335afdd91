"""Training FastSpeech 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from recipes.tts.common.dataset import TtsDataset
from recipes.tts.common.manifest import Manifest
from recipes.tts.common.monitor import StageMonitor
from recipes.tts.fastspeech2.task import FastSpeech2Task
from speechkd.features.statistics import Statistics
from speechkd.models.tts.config import FastSpeech2Config, NetworkConfig, VarianceStatistics
from speechkd.models.tts.fastspeech2 import FastSpeech2
from speechkd.runner import Context
from speechkd.text import SymbolTable, is_pause
from speechkd.training.loop import fit
from speechkd.training.seeds import derive_seed


def run(cfg: Any, ctx: Context) -> None:
    """Write `model`: model.json, model.safetensors (best validation loss), history.jsonl."""
    dataset = TtsDataset(ctx.input("features"), ctx.input("tokens"), cfg.model)
    splits = Manifest.read(ctx.input("manifest")).splits
    available = set(dataset.features.ids)
    train, valid = ([id_ for id_ in splits[part] if id_ in available] for part in ("train", "valid"))
    torch.manual_seed(derive_seed(cfg.train.seed, purpose="weights"))
    model = FastSpeech2(model_config(cfg.model, dataset.symbols, dataset.statistics))
    ctx.log.info("%.1f M parameters, %d training utterances", sum(p.numel() for p in model.parameters()) / 1e6, len(train))
    task = FastSpeech2Task(model, dataset, train, valid, cfg.train.batch_frames)
    with StageMonitor(ctx, cfg.train.max_steps) as monitor:
        trained = fit(task, cfg.train, ctx.scratch, monitor)
    out = ctx.output("model")
    (out / "model.json").write_text(model.config.model_dump_json(indent=1), encoding="utf-8")
    save_file(trained.weights, out / "model.safetensors")
    trained.write_history(out / "history.jsonl")


def model_config(network: NetworkConfig, symbols: SymbolTable, statistics: Statistics) -> FastSpeech2Config:
    """What rebuilds the model: sizes, symbols that may be silent, and the corpus statistics."""
    pauses = tuple(i for i, symbol in enumerate(symbols.symbols) if is_pause(symbol) or symbol == "^")
    return FastSpeech2Config(
        network=network,
        n_symbols=len(symbols),
        n_mels=len(statistics.mel_mean),
        pause_ids=pauses,
        statistics=VarianceStatistics(**vars(statistics)),
    )


def load_model(folder: Path) -> FastSpeech2:
    """The trained model of a `model` artifact, in evaluation mode."""
    config = FastSpeech2Config.model_validate_json((folder / "model.json").read_text(encoding="utf-8"))
    model = FastSpeech2(config)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval()
