"""How long ways of speaking take for the same number of frames: in one process, on the same threads, by turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from recipes.tts.common.claims.speaking import Voicing, as_batch
from recipes.tts.common.claims.systems import System
from speechkd.errors import StageError
from speechkd.models.tts.interface import Spoken
from speechkd.runner import Context

Speak = Callable[[torch.Tensor, torch.Tensor, int], Spoken]


@dataclass
class Way:
    """A way of speaking: tokens (1, T), their length (1,) and a number of frames to so much speech."""

    name: str
    system: System  # whose texts it speaks
    model: Any
    speak: Speak
    slow: bool = False
    mel_only: bool = False  # it is not timed to the samples
    mel_s: dict[int, list[float]] = field(default_factory=dict)
    total_s: dict[int, list[float]] = field(default_factory=dict)


def by_durations(model: Any) -> Speak:
    """Speak with durations that are given, even ones that add up."""

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
                        way.total_s.setdefault(n_frames, []).extend([] if total_s is None else [total_s])
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
) -> tuple[float | None, float | None]:
    """Seconds to the mel, None for a model that makes none, and to the samples, None where they are not asked for."""
    tokens, lengths = (each.to(device) for each in as_batch(text))
    start = _now(device)
    spoken = way.speak(tokens, lengths, n_frames)
    mel_s = _now(device) - start
    if way.mel_only:
        _check_length(way, spoken.mel.shape[1], n_frames)
        return mel_s, None
    samples = voicing.sound(spoken)
    total_s = _now(device) - start
    _check_length(way, len(samples) / voicing.preset.hop_samples, n_frames)
    return (mel_s if spoken.samples is None else None), total_s


def _check_length(way: Way, found: float, n_frames: int) -> None:
    if found != n_frames:
        why = f"{found:g} frames instead of {n_frames}"
        raise StageError(f"{way.name} did not make the frames that it was told to make", why=why)


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
