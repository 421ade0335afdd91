"""How long each system takes for the same number of frames: all in one process, on the same threads, by turns.

The lengths are forced: the teacher goes on until it has made so many frames, the students are given durations that add
up to them. What is timed ends with the mel, and again with the samples, of the same vocoder for all. Networks of the
published sizes are timed without being trained: how long they take does not depend on their weights.
"""

from __future__ import annotations

import copy
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from recipes.tts.claims.names import CACHED, PUBLISHED, STUDENTS, UNCACHED, paper_length
from recipes.tts.claims.speaking import Voicing, as_batch, never_stopping
from recipes.tts.claims.systems import System, finished, write_json
from speechkd.errors import StageError
from speechkd.models.tts.interface import Spoken
from speechkd.models.tts.load import build_model
from speechkd.runner import Context
from speechkd.training.device import device_name, resolve_device

PRESETS = Path(__file__).resolve().parents[1]
Speak = Callable[[torch.Tensor, torch.Tensor, int], Spoken]


@dataclass
class Way:
    """A way of speaking: tokens (1, T), their length (1,) and a number of frames to so much speech."""

    name: str
    system: System  # whose texts it speaks
    model: Any
    speak: Speak
    slow: bool = False
    mel_s: dict[int, list[float]] = field(default_factory=dict)
    total_s: dict[int, list[float]] = field(default_factory=dict)


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
            ways.append(Way(name, there[name], student, _student(student)))
    return ways + ([_published(name, there[of], device) for name, of in PUBLISHED.items() if of in there] * published)


def _published(name: str, system: System, device: torch.device) -> Way:
    """A network of the published size with the symbols and speakers of a finished run, not trained."""
    config = system.model().config
    preset = yaml.safe_load((PRESETS / system.model().kind / "conf" / "paper.yaml").read_text(encoding="utf-8"))
    sized = config.model_dump(mode="json") | {"network": preset["model"]}
    model = build_model(system.model().kind, sized).eval().to(device)
    if system.name != "teacher":
        return Way(name, system, model, _student(model))
    never_stopping(model)
    return Way(name, system, model, _teacher(model, cache=True), slow=True)


def _teacher(model: Any, cache: bool) -> Speak:
    def speak(tokens: torch.Tensor, _lengths: torch.Tensor, n_frames: int) -> Spoken:
        mel = model.generate(tokens, max_frames=n_frames, cache=cache, seed=0).mel
        return Spoken(mel, torch.tensor([mel.shape[1]]), tokens)

    return speak


def _student(model: Any) -> Speak:
    def speak(tokens: torch.Tensor, lengths: torch.Tensor, n_frames: int) -> Spoken:
        durations = torch.from_numpy(even_durations(tokens.shape[1], n_frames))[None].to(tokens.device)
        spoken: Spoken = model.infer(tokens, lengths, durations=durations)
        return spoken

    return speak


def even_durations(n_tokens: int, n_frames: int) -> np.ndarray:
    """Whole numbers (n_tokens,) that differ by one at most and add up to `n_frames`."""
    return np.diff(np.arange(n_tokens + 1, dtype=np.int64) * n_frames // n_tokens)


def measure(
    ways: Sequence[Way], lengths: Sequence[int], options: Any, voicing: Voicing, device: torch.device, ctx: Context
) -> None:
    """Fill in the seconds of every way: a round lets each speak once; the first round at a length does not count."""
    if not ways or not lengths:
        return
    texts = {(way.name, n): text_for(way.system, round(n * options.tokens_per_frame)) for way in ways for n in lengths}
    with ctx.progress(len(lengths) * (1 + options.rounds) + options.warm_up, "timing") as bar:
        for _ in range(options.warm_up):
            for way in ways:
                _call(way, texts[way.name, lengths[0]], lengths[0], voicing, device)
            bar.advance()
        for n_frames in lengths:
            for number in range(1 + options.rounds):
                for way in ways:
                    if way.slow and number > options.slow_rounds:
                        continue
                    mel_s, total_s = _call(way, texts[way.name, n_frames], n_frames, voicing, device)
                    if number:
                        way.mel_s.setdefault(n_frames, []).extend([] if mel_s is None else [mel_s])
                        way.total_s.setdefault(n_frames, []).append(total_s)
                bar.advance()


def text_for(system: System, n_tokens: int) -> np.ndarray:
    """So many tokens of held-out text, one sentence after another: (n_tokens,)."""
    symbols = list(system.tokens(system.ids("test")[0]).symbols[:1])
    while len(symbols) < n_tokens:
        for id_ in system.ids("test"):
            symbols += system.tokens(id_).symbols[1:]
    return np.asarray(system.symbols.encode(symbols[: max(n_tokens, 1)]), dtype=np.int64)


def _call(
    way: Way, text: np.ndarray, n_frames: int, voicing: Voicing, device: torch.device
) -> tuple[float | None, float]:
    """Seconds to the mel, None for a model that makes none, and to the samples."""
    tokens, lengths = (each.to(device) for each in as_batch(text))
    start = _now(device)
    spoken = way.speak(tokens, lengths, n_frames)
    mel_s = _now(device) - start
    samples = voicing.sound(spoken)
    total_s = _now(device) - start
    if len(samples) != n_frames * voicing.preset.hop_samples:
        why = f"{len(samples)} samples instead of {n_frames} frames of {voicing.preset.hop_samples}"
        raise StageError(f"{way.name} did not make the frames that it was told to make", why=why)
    return (mel_s if spoken.samples is None else None), total_s


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def summaries(ways: Sequence[Way]) -> dict[str, Any]:
    """`summary` of the seconds to the mel and in total, by way."""
    return {way.name: {"mel": summary(way.mel_s), "total": summary(way.total_s)} for way in ways}


def summary(seconds: Mapping[int, Sequence[float]]) -> dict[str, Any]:
    """By length: mean, median and each of them; and the slope of log median seconds over log frames."""
    known = {n: list(values) for n, values in seconds.items() if values}
    rows = {
        str(n): {"mean_s": statistics.fmean(each), "median_s": statistics.median(each), "seconds": each}
        for n, each in known.items()
    }
    return {"by_frames": rows, "slope": log_slope({n: statistics.median(each) for n, each in known.items()})}


def log_slope(seconds: Mapping[int, float]) -> float | None:
    """Slope of log seconds over log frames, least squares: 1 is in proportion, 0 flat. None for under two points."""
    if len(seconds) < 2:
        return None
    return float(np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)[0])


def network_facts(model: Any) -> dict[str, Any]:
    """What a speed depends on: parameters, and how many frames a teacher makes in a step."""
    facts: dict[str, Any] = {"kind": model.kind, "parameters": sum(each.numel() for each in model.parameters())}
    network = getattr(getattr(model.config, "trunk", model.config), "network", None)
    if network is not None:
        facts |= {"hidden": network.hidden, "layers": [network.encoder.layers, network.decoder.layers]}
    if network is not None and hasattr(network, "reduction"):
        facts["reduction"] = network.reduction
    return facts
