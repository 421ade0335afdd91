"""Training a lip reader, from chance or from a finished one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from recipes.lipreading.common.manifest import ClipManifest
from recipes.lipreading.pcpg.dataset import ClipDataset
from recipes.lipreading.pcpg.policy import Policy
from recipes.lipreading.pcpg.task import LipReadingTask
from recipes.tts.common.training import learn, log_size
from speechkd.errors import ConfigError
from speechkd.models.lipreading.load import load_model, save_model
from speechkd.models.lipreading.network import LipReader
from speechkd.runner import Context
from speechkd.training.device import resolve_device
from speechkd.training.seeds import derive_seed

NORMS = "norms.json"


def run(cfg: Any, ctx: Context) -> None:
    """Write `model`: model.json, model.safetensors (by train.best_by), history.jsonl; and norms.json, where the
    gradient of a policy was scaled.
    """
    splits = ClipManifest.read(ctx.input("manifest")).splits
    reader = starting_model(cfg)
    ids = [*splits["train"], *splits["valid"]]
    store = ctx.store("crops")
    known = [id_ for id_ in ids if id_ in store]
    dataset = ClipDataset(store, known, reader.characters, reader.config.crop)
    train, valid = ([id_ for id_ in splits[part] if id_ in dataset.texts] for part in ("train", "valid"))
    log_size(ctx, reader, len(train))
    task = LipReadingTask(Policy(reader), dataset, train, valid, cfg)
    norms = None
    if cfg.objective.name != "ce" and cfg.objective.match_norm:
        norms = task.match_norms(torch.device(resolve_device(cfg.train.device)))
        ctx.log.info("gradient norms at the start: %s", norms)
    learn(ctx, task, cfg.train, save=_save)
    if norms is not None:
        (ctx.output("model") / NORMS).write_text(json.dumps(norms, indent=1, sort_keys=True), encoding="utf-8")


def starting_model(cfg: Any) -> LipReader:
    """A model of chance, or the one to continue from. ConfigError if that one is not what the section model says."""
    if cfg.init is None:
        torch.manual_seed(derive_seed(cfg.train.seed, purpose="weights"))
        return LipReader(cfg.model)
    start = load_model(cfg.init.path)
    if start.config != cfg.model:
        own, other = start.config.model_dump(), cfg.model.model_dump()
        differing = ", ".join(f"model.{name}" for name in own if own[name] != other[name])
        raise ConfigError(
            f"init.path holds a model of another configuration: {differing}",
            where=str(cfg.init.path),
            todo="Give the section model the values of its model.json",
        )
    return start


def _save(folder: Path, policy: Policy) -> None:
    save_model(folder, policy.reader)
