"""Training the network."""

from __future__ import annotations

from typing import Any

import torch

from recipes.tts.common.monitor import StageMonitor
from recipes.tts.g2p.align import read_tagged
from recipes.tts.g2p.dictionary import Dictionary
from recipes.tts.g2p.task import G2pTask
from speechkd.models.g2p.load import save_model
from speechkd.models.g2p.network import G2pNetwork
from speechkd.runner import Context
from speechkd.training.loop import fit
from speechkd.training.seeds import derive_seed


def run(cfg: Any, ctx: Context) -> None:
    """Write `model`: model.json, model.safetensors (fewest wrong validation words), history.jsonl."""
    dictionary = Dictionary.read(ctx.input("dictionary"))
    tags, tagged = read_tagged(ctx.input("tagged"))
    train_words = set(dictionary.splits["train"])
    train = [each for each in tagged if each.word in train_words]
    valid = {word: dictionary.words[word] for word in dictionary.splits["valid"]}
    torch.manual_seed(derive_seed(cfg.train.seed, purpose="weights"))
    model = G2pNetwork(cfg.model, tags)
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    ctx.log.info("%.2f M parameters, %d training pronunciations", n_parameters / 1e6, len(train))
    task = G2pTask(model, tags, train, valid, cfg.train.batch_frames, cfg.train.label_smoothing)
    with StageMonitor(ctx, cfg.train.max_steps) as monitor:
        trained = fit(task, cfg.train, ctx.scratch, monitor)
    out = ctx.output("model")
    model.load_state_dict(trained.weights)
    save_model(out, model)
    trained.write_history(out / "history.jsonl")
