"""Vocoders: HiFi-GAN with published weights, a fast inverse-STFT one, and Griffin-Lim, which needs no weights.

Networks and loading are in `load`, `hifigan`, `istft` and `griffinlim`; `options` and `config` do without torch. The
names below are found on first use, so that reading a config imports no torch.
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
    "IstftOptions": "options",
    "VocoderOptions": "options",
    "IstftConfig": "istft_config",
    "HifiGan": "hifigan",
    "GriffinLim": "griffinlim",
    "Vocoder": "load",
    "HifiGanVocoder": "load",
    "IstftVocoder": "load",
    "IstftVocoderNetwork": "istft",
    "load_vocoder": "load",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
