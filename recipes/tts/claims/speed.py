"""How long each system takes for the same number of frames: all in one process, on the same threads, by turns.

The lengths are forced: the teacher goes on until it has made so many frames, the students are given durations that add
up to them. What is timed ends with the mel, and again with the samples, of the same vocoder for all. Networks of the
published sizes are timed without being trained: how long they take does not depend on their weights.
"""

from __future__ import annotations

import copy
import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml

from recipes.tts.claims.names import CACHED, PUBLISHED, STUDENTS, UNCACHED, paper_length
from recipes.tts.claims.systems import finished
from recipes.tts.common.claims.speaking import Voicing
from recipes.tts.common.claims.systems import System, write_json
from recipes.tts.common.claims.timing import Speak, Way, by_durations, measure, summaries
from speechkd.models.tts.interface import Spoken
from speechkd.models.tts.load import build_model
from speechkd.runner import Context
from speechkd.training.device import device_name, resolve_device

PRESETS = Path(__file__).resolve().parents[1]


def run(cfg: Any, ctx: Context) -> None:
    """Write `speed`: speed.json with seconds per way and length, and with one thread at the length of the paper."""
    options, there = cfg.speed, finished(cfg.systems)
    device, before = torch.device(resolve_device(options.device)), torch.get_num_threads()
    threads = options.threads or os.cpu_count() or 1
    ways, voicing = ways_of(there, device, options.published), Voicing.of(cfg)
    alone = [replace(way, mel_s={}, total_s={}) for way in ways if threads > 1 and way.name != UNCACHED]
    try:
        torch.set_num_threads(threads)
        timed_on = device_name(options.device)
        measure(ways, sorted(options.frames), options, voicing, device, ctx)
        torch.set_num_threads(1)
        measure(alone, [paper_length(options.frames)] if alone else [], options, voicing, device, ctx)
    finally:
        torch.set_num_threads(before)
    facts = {
        "threads": threads,
        "device": timed_on,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "warm_up": options.warm_up,
        "lengths": sorted(options.frames),
        "networks": {way.name: network_facts(way.model) for way in ways if way.name != UNCACHED},
        "ways": summaries(ways),
        "one_thread": summaries(alone),
    }
    write_json(ctx.output("speed") / "speed.json", facts)


def ways_of(there: Mapping[str, System], device: torch.device, published: bool) -> list[Way]:
    """The ways that finished runs allow. Models are copies: moving one, or unteaching it to stop, is felt nowhere."""
    ways = []
    if "teacher" in there:
        teacher = copy.deepcopy(there["teacher"].model()).to(device)
        never_stopping(teacher)
        for name, cache in ((CACHED, True), (UNCACHED, False)):
            ways.append(Way(name, there["teacher"], teacher, _teacher(teacher, cache), slow=not cache))
    for name in STUDENTS:
        if name in there:
            student = copy.deepcopy(there[name].model()).to(device)
            ways.append(Way(name, there[name], student, by_durations(student)))
    return ways + ([_published(name, there[of], device) for name, of in PUBLISHED.items() if of in there] * published)


def _published(name: str, system: System, device: torch.device) -> Way:
    """A network of the published size with the symbols and speakers of a finished run, not trained."""
    config = system.model().config
    preset = yaml.safe_load((PRESETS / system.model().kind / "conf" / "paper.yaml").read_text(encoding="utf-8"))
    sized = config.model_dump(mode="json") | {"network": preset["model"]}
    model = build_model(system.model().kind, sized).eval().to(device)
    if system.name != "teacher":
        return Way(name, system, model, by_durations(model))
    never_stopping(model)
    return Way(name, system, model, _teacher(model, cache=True), slow=True)


def _teacher(model: Any, cache: bool) -> Speak:
    def speak(tokens: torch.Tensor, _lengths: torch.Tensor, n_frames: int) -> Spoken:
        mel = model.generate(tokens, max_frames=n_frames, cache=cache, seed=0).mel
        return Spoken(mel, torch.tensor([mel.shape[1]]), tokens)

    return speak


def network_facts(model: Any) -> dict[str, Any]:
    """What a speed depends on: parameters, and how many frames a teacher makes in a step."""
    facts: dict[str, Any] = {"kind": model.kind, "parameters": sum(each.numel() for each in model.parameters())}
    network = getattr(getattr(model.config, "trunk", model.config), "network", None)
    if network is not None:
        facts |= {"hidden": network.hidden, "layers": [network.encoder.layers, network.decoder.layers]}
    if network is not None and hasattr(network, "reduction"):
        facts["reduction"] = network.reduction
    return facts


def never_stopping(teacher: Any) -> None:
    """Make a teacher go on until `max_frames`: its stop token is still computed, and never obeyed."""
    network = teacher.config.network
    stop = network.stop.model_copy(update={"threshold": 2.0})
    teacher.config = teacher.config.model_copy(update={"network": network.model_copy(update={"stop": stop})})
