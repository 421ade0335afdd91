"""Vocoders: HiFi-GAN with published weights, and Griffin-Lim, which needs none.

Networks and loading are in `load`, `hifigan` and `griffinlim`; `options` and `config` do without torch. The names
below are found on first use, so that reading a config imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "HifiGanConfig": "config",
    "HIFIGAN_V1": "config",
    "HIFIGAN_V2": "config",
    "HIFIGAN_V3": "config",
    "GriffinLimOptions": "options",
    "HifiGanOptions": "options",
    "VocoderOptions": "options",
    "HifiGan": "hifigan",
    "GriffinLim": "griffinlim",
    "Vocoder": "load",
    "HifiGanVocoder": "load",
    "load_vocoder": "load",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
