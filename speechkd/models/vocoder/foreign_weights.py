"""HiFi-GAN generators as other toolkits store them: their weights, under our names."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from speechkd.errors import DataError
from speechkd.models.vocoder.foreign import STATISTICS, hears_normalised, is_transformers, statistics_file

State = dict[str, Tensor]
_LN10 = math.log(10.0)


def transformers_config(files: Sequence[Path]) -> dict[str, Any] | None:
    """The config.json among the files if it is one of transformers; what cannot be read is none, and said elsewhere."""
    for file in files:
        if file.name == "config.json":
            with contextlib.suppress(OSError, ValueError):
                raw = json.loads(file.read_text(encoding="utf-8"))
                if isinstance(raw, dict) and is_transformers(raw):
                    return raw
    return None


def own_state(state: Mapping[str, Tensor], files: Sequence[Path], where: str) -> State:
    """A generator's state under our names, whoever wrote it; one of ours as it is. Weight norm is left as it is."""
    raw = transformers_config(files)
    if raw is not None:
        return _of_transformers(state, raw, files, where)
    # SpeechBrain wraps every convolution in a module of its own.
    return {name.replace(".conv.", "."): value for name, value in state.items()}


def _of_transformers(state: Mapping[str, Tensor], raw: Mapping[str, Any], files: Sequence[Path], where: str) -> State:
    """`upsampler` is our `ups`; mean and scale turn from log10 to natural logarithms.

    (log10 m - mean) / scale = (ln m - ln 10 · mean) / (ln 10 · scale).
    """
    if "vocoder_config" in raw:
        state = {name.removeprefix("vocoder."): value for name, value in state.items() if name.startswith("vocoder.")}
    own = {
        "ups." + name.removeprefix("upsampler.") if name.startswith("upsampler.") else name: value
        for name, value in state.items()
    }
    if not hears_normalised(raw):
        own["mean"], own["scale"] = _statistics(files, where)
    for name in ("mean", "scale"):
        if name not in own:
            raise DataError("not a HiFi-GAN generator of transformers", where=where, why=f"{name} is missing")
        own[name] = own[name].float() * _LN10
    return own


def _statistics(files: Sequence[Path], where: str) -> tuple[Tensor, Tensor]:
    """Mean and deviation (n_mels,) of log10 mels, from ESPnet's sums. DataError where there are none."""
    path = statistics_file(files)
    if path is None:
        why = "it hears mels normalised by its acoustic model's statistics, which are not in its own files"
        todo = f"Put {STATISTICS} of the acoustic model's training (ESPnet: tts_stats/train) beside it"
        raise DataError("a vocoder that cannot be used by itself", where=where, why=why, todo=todo)
    try:
        with np.load(path, allow_pickle=False) as sums:
            mean = sums["sum"] / sums["count"]
            variance = sums["sum_square"] / sums["count"] - np.square(mean)
    except (OSError, ValueError, KeyError) as error:
        raise DataError("statistics cannot be read", where=str(path), why=str(error)) from error
    return torch.from_numpy(mean).float(), torch.from_numpy(np.sqrt(np.maximum(variance, 1e-20))).float()
