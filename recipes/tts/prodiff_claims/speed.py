"""How long teacher, student and FastSpeech 2 take for the same number of frames: in one process, by turns.

Each is timed to the mel and to the samples; and, apart from that, in the part in which they differ: the denoiser's
calls, or FastSpeech 2's decoder, on states that are there already.
"""

from __future__ import annotations

import copy
import os
import platform
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recipes.tts.common.claims.speaking import Voicing
from recipes.tts.common.claims.systems import System, write_json
from recipes.tts.common.claims.timing import Speak, Way, by_durations, even_durations, measure, summaries
from recipes.tts.prodiff_claims.names import LAST_PART
from recipes.tts.prodiff_claims.systems import finished
from speechkd.models.tts.adaptor import Adapted
from speechkd.models.tts.interface import Spoken
from speechkd.runner import Context
from speechkd.training.device import device_name, resolve_device


def run(cfg: Any, ctx: Context) -> None:
    """Write `speed`: speed.json with seconds per way and length."""
    options, there = cfg.speed, finished(cfg.systems, *LAST_PART)
    device, before = torch.device(resolve_device(options.device)), torch.get_num_threads()
    ways, voicing = ways_of(there, device), Voicing.of(cfg)
    try:
        torch.set_num_threads(options.threads)
        timed_on = device_name(options.device)
        measure(ways, sorted(options.frames), options, voicing, device, ctx)
    finally:
        torch.set_num_threads(before)
    facts = {
        "threads": options.threads,
        "device": timed_on,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "warm_up": options.warm_up,
        "rounds": options.rounds,
        "lengths": sorted(options.frames),
        "hop_s": voicing.preset.hop_s,
        "networks": {way.name: {"parameters": sum(p.numel() for p in way.model.parameters())} for way in ways},
        "ways": summaries(ways),
    }
    write_json(ctx.output("speed") / "speed.json", facts)


def ways_of(there: dict[str, System], device: torch.device) -> list[Way]:
    """The ways that finished runs allow. Models are copies: moving one is felt nowhere."""
    ways = []
    for name, system in there.items():
        model = copy.deepcopy(system.model()).to(device)
        ways.append(Way(name, system, model, by_durations(model)))
        part, last = last_part(model)
        ways.append(Way(LAST_PART[name], system, part, on_known_states(model, last), mel_only=True))
    return ways


def last_part(model: Any) -> tuple[Any, Callable[[Adapted], Tensor]]:
    """The network that makes the mel out of adapted states, and how it is asked."""
    if model.kind == "prodiff":
        return model.denoiser, model.sample
    return model.decoder, model.decode


def on_known_states(model: Any, last: Callable[[Adapted], Tensor]) -> Speak:
    """Speak from states that were computed when this length was asked for first, in a round that does not count."""
    known: dict[int, Adapted] = {}

    @torch.inference_mode()
    def speak(tokens: Tensor, lengths: Tensor, n_frames: int) -> Spoken:
        if n_frames not in known:
            durations = torch.from_numpy(even_durations(tokens.shape[1], n_frames))[None].to(tokens.device)
            known[n_frames] = model.adapt_freely(tokens, lengths, durations=durations)
        adapted = known[n_frames]
        return Spoken(last(adapted), adapted.lengths, adapted.durations)

    return speak
