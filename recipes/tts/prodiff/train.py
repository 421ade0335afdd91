"""Training a ProDiff on recordings: a teacher, or a model of few steps without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from recipes.tts.common.dataset import TtsDataset, silent_symbols
from recipes.tts.common.manifest import Manifest
from recipes.tts.common.training import learn, log_size
from recipes.tts.prodiff.config import DiffusionSection
from recipes.tts.prodiff.task import ProDiffTask
from speechkd.features.statistics import Statistics
from speechkd.models.tts.config import VarianceStatistics
from speechkd.models.tts.prodiff import ProDiff
from speechkd.models.tts.prodiff_config import DiffusionConfig, ProDiffConfig, ProDiffNetworkConfig
from speechkd.runner import Context
from speechkd.text import SymbolTable
from speechkd.training.seeds import derive_seed


def run(cfg: Any, ctx: Context) -> None:
    """Write `model`: model.json, model.safetensors (best validation loss), history.jsonl."""
    manifest = Manifest.read(ctx.input("manifest"))
    dataset = TtsDataset(ctx.input("features"), ctx.input("spoken"), cfg.model, manifest.speaker_numbers())
    splits = dataset.learned_and_chosen_by(manifest.splits)
    torch.manual_seed(derive_seed(cfg.train.seed, purpose="weights"))
    statistics = dataset.statistics
    model = ProDiff(model_config(cfg.model, cfg.diffusion, dataset.symbols, statistics, manifest.speakers))
    log_size(ctx, model, len(splits[0]))
    learn(ctx, ProDiffTask(model, dataset, splits, cfg), cfg.train)


def model_config(
    network: ProDiffNetworkConfig,
    diffusion: DiffusionSection,
    symbols: SymbolTable,
    statistics: Statistics,
    speakers: Sequence[str] = (),
) -> ProDiffConfig:
    """What rebuilds a model that no teacher had: sizes, chain, symbols, speakers, and the corpus statistics."""
    return ProDiffConfig(
        network=network,
        diffusion=chain_of(diffusion),
        n_symbols=len(symbols),
        n_mels=len(statistics.mel_mean),
        pause_ids=silent_symbols(symbols),
        speakers=tuple(speakers) if len(speakers) > 1 else (),
        statistics=VarianceStatistics(**vars(statistics)),
    )


def chain_of(section: DiffusionSection) -> DiffusionConfig:
    """The chain of noise levels of a model that no teacher had."""
    return DiffusionConfig(
        n_steps=section.steps,
        beta_min=section.beta_min,
        beta_max=section.beta_max,
        predicts="x0" if section.parameterisation == "generator" else "noise",
    )
