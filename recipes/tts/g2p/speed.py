"""How fast the packed network speaks beside the letter rules, and what a step of its training costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from recipes.tts.g2p.align import read_tagged
from recipes.tts.g2p.task import G2pTask
from speechkd.models.g2p.network import G2pNetwork
from speechkd.text.g2p import G2p
from speechkd.training.device import make_accelerator

_ROUNDS = 5
_STEPS = 20


def measured_speeds(
    cfg: Any, tagged: Path, g2p: G2p, words: Sequence[str], by_rules: Callable[[str], object]
) -> dict[str, Any]:
    """Words per second and seconds of processor time per training step, on this machine.

    The speakers take turns; the ratio is the median over the turns.
    """
    ways: dict[str, Callable[[], object]] = {
        "network_batched": lambda: g2p.say(words),
        "network_single": lambda: [g2p.say([word]) for word in words],
        "rules": lambda: [by_rules(word) for word in words],
    }
    rounds = [{name: len(words) / _seconds(way) for name, way in ways.items()} for _ in range(_ROUNDS)]
    return {
        "words_per_s": {name: statistics.median(each[name] for each in rounds) for name in ways},
        "rules_over_network": statistics.median(each["rules"] / each["network_batched"] for each in rounds),
        "words": len(words),
        "step_s": step_seconds(cfg, tagged),
    }


def _seconds(way: Callable[[], object]) -> float:
    start = time.process_time()
    way()
    return max(time.process_time() - start, 1e-9)


def step_seconds(cfg: Any, tagged: Path) -> float:
    """Mean processor time of forward, backward and update: what others run meanwhile does not count."""
    tags, examples = read_tagged(tagged)
    model = G2pNetwork(cfg.model, tags)
    task = G2pTask(model, tags, examples, {}, cfg.train.batch_frames, cfg.train.label_smoothing)
    accelerator = make_accelerator(cfg.train)
    network, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters()))
    batches = task.epoch(0, 0)[: _STEPS + 1]

    def step(ids: Sequence[str]) -> None:
        batch = task.load(ids).to(accelerator.device)
        with accelerator.autocast():
            loss = task.losses(network, batch)["tag"]
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()

    step(batches[0])
    return sum(_seconds(lambda ids=ids: step(ids)) for ids in batches[1:]) / max(1, len(batches) - 1)  # type: ignore[misc]
