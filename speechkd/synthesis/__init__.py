"""Speaking from a packed voice: a folder that needs nothing of the recipe that made it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Speech": "speech",
    "Timed": "speech",
    "Voice": "voice",
    "VoiceManifest": "manifest",
    "VoiceSource": "manifest",
    "find_voices": "find",
    "load_voice": "load",
    "pack_voice": "pack",
    "read_manifest": "manifest",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    # Found on first use: listing voices needs no torch.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
