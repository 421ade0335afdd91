"""What a training step costs, and which part of it: front end and encoder, drawing, reward, the decoder's pass.

On a CPU it is the time of its cores that is measured: nearly the same on a busy machine as on a quiet one.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from recipes.lipreading.common.manifest import ClipManifest
from recipes.lipreading.pcpg.config import PcpgOptions, PolicyOptions
from recipes.lipreading.pcpg.dataset import Batch, ClipDataset
from recipes.lipreading.pcpg.policy import Policy, as_samples, discriminative, sampled, step_weights
from speechkd.models.lipreading.load import load_model
from speechkd.models.lipreading.search import sample
from speechkd.runner import Context
from speechkd.training.device import device_name, resolve_device

TARGET = 1.5


def run(cfg: Any, ctx: Context) -> None:
    """Write `timing`: timing.json, median seconds of the steps and of their parts."""
    if cfg.train.threads:
        torch.set_num_threads(cfg.train.threads)
    device = torch.device(resolve_device(cfg.train.device))
    model, store = load_model(ctx.input("model")), ctx.store("crops")
    ids = [id_ for id_ in ClipManifest.read(ctx.input("manifest")).splits["train"] if id_ in store]
    ids = [ids[place % len(ids)] for place in range(cfg.throughput.clips)]
    batch = ClipDataset(store, ids, model.characters, model.config.crop).batch(ids).to(device)
    options = cfg.objective if cfg.objective.name != "ce" else PcpgOptions()
    timing = measure(Policy(model).to(device), batch, options, cfg.throughput.rounds)
    timing |= {"clips": len(ids), "samples": options.samples, "device": device_name(device.type)}
    (ctx.output("timing") / "timing.json").write_text(json.dumps(timing, indent=1, sort_keys=True), encoding="utf-8")
    ctx.log.info("%s", in_words(timing))


def measure(policy: Policy, batch: Batch, options: PolicyOptions, rounds: int) -> dict[str, Any]:
    """Median seconds of a step of cross-entropy and of one with a policy gradient, by turns, and of their parts.

    ratio: the policy's step / (a step of cross-entropy + one pass of drawing).
    """
    policy.train()
    parts: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        clock = _Clock({} if turn == 0 else parts)  # the first round warms up
        with clock("ce_step"):
            _cross_entropy_step(policy, batch, clock)
        with clock("policy_step"):
            _policy_step(policy, batch, options, clock)
    seconds = {name: statistics.median(values) for name, values in parts.items()}
    seconds["ratio"] = seconds["policy_step"] / (seconds["ce_step"] + seconds["drawing"])
    _time_rewards(policy, batch, options, seconds)
    return seconds


def _cross_entropy_step(policy: Policy, batch: Batch, clock: _Clock) -> None:
    with clock("encoder"):
        memory = policy.reader.encode(batch.frames, batch.lengths)
    done = discriminative(policy.reader, memory, batch, 0.0)
    _backward(policy, done.cross_entropy)


def _policy_step(policy: Policy, batch: Batch, options: PolicyOptions, clock: _Clock) -> None:
    memory = policy.reader.encode(batch.frames, batch.lengths)
    done = sampled(policy, memory, batch, options, 0.0)
    assert done.policy is not None
    _backward(policy, done.cross_entropy + done.policy)
    with clock("drawing", nested=True):
        sample(policy.reader, memory.detached(), options.samples)


def _backward(policy: Policy, loss: Tensor) -> None:
    loss.backward()
    policy.zero_grad(set_to_none=True)


def _time_rewards(policy: Policy, batch: Batch, options: PolicyOptions, seconds: dict[str, Any]) -> None:
    with torch.no_grad():
        memory = policy.reader.encode(batch.frames, batch.lengths)
        drawn = as_samples(sample(policy.reader, memory, options.samples))
        seconds["reward"] = timed(lambda: step_weights(policy, memory, batch, drawn, options))


def timed(call: Callable[[], object]) -> float:
    """Seconds of the second of two calls."""
    call()
    start = _now()
    call()
    return _now() - start


def _now() -> float:
    """Seconds of the cores of this process; of the clock, once it has done all its work, where there is a GPU."""
    if not torch.cuda.is_available():
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


class _Clock:
    """Collects seconds by name; what is nested in another part is not part of it."""

    def __init__(self, parts: dict[str, list[float]]) -> None:
        self.parts = parts
        self.nested = 0.0

    @contextmanager
    def __call__(self, name: str, nested: bool = False) -> Iterator[None]:
        before, start = self.nested, _now()
        yield
        seconds = _now() - start
        self.parts.setdefault(name, []).append(seconds - (self.nested - before))
        if nested:
            self.nested += seconds


def in_words(timing: dict[str, Any]) -> str:
    """The figures in a line."""
    verdict = "within" if timing["ratio"] <= TARGET else "above"
    return (
        f"{timing['clips']} clips, {timing['samples']} samples each, {timing['device']}: a step of cross-entropy "
        f"{timing['ce_step']:.2f} s (its front end and encoder, forwards, {timing['encoder']:.2f} s), a step with a "
        f"policy gradient {timing['policy_step']:.2f} s (drawing {timing['drawing']:.2f} s, rewards and windows "
        f"{timing['reward']:.3f} s): {timing['ratio']:.2f} times a step of cross-entropy and a pass of drawing, "
        f"{verdict} {TARGET:g}"
    )
