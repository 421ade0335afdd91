"""An acoustic model as a folder: model.json rebuilds it, model.safetensors fills it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from speechkd.errors import ArtifactError

CONFIG, WEIGHTS = "model.json", "model.safetensors"

#: Every kind of model: the module and name of its configuration, and of itself.
KINDS: dict[str, tuple[str, str]] = {
    "fastspeech2": ("config:FastSpeech2Config", "fastspeech2:FastSpeech2"),
    "fastspeech2s": ("fastspeech2s_config:FastSpeech2sConfig", "fastspeech2s:FastSpeech2s"),
    "fastspeech": ("fastspeech_config:FastSpeechConfig", "fastspeech:FastSpeech"),
    "prodiff": ("prodiff_config:ProDiffConfig", "prodiff:ProDiff"),
    "transformer": ("transformer_config:TransformerConfig", "transformer:TransformerTts"),
}


def build_model(kind: str, config: Mapping[str, Any]) -> nn.Module:
    """A model of this kind without its weights. ArtifactError for an unknown kind, ValueError for a wrong config."""
    if kind not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise ArtifactError(f"unknown acoustic model {kind!r}", why=f"known are {known}", todo="Update speechkd")
    config_class, model_class = map(_found, KINDS[kind])
    model: nn.Module = model_class(config_class.model_validate(dict(config)))
    return model


def _found(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"speechkd.models.tts.{module}"), name)


def save_model(folder: Path, model: Any) -> None:
    """Write an acoustic model into an existing folder."""
    content = {"model": model.kind, "config": model.config.model_dump(mode="json")}
    (folder / CONFIG).write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)


def load_model(folder: Path) -> Any:
    """Read what `save_model` wrote, an `AcousticModel` in evaluation mode. ArtifactError when it cannot be read."""
    try:
        content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        model = build_model(content["model"], content["config"])
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(
            "the model cannot be read", where=str(folder), why=str(error), todo="Run the stage train again"
        ) from error
    return model.eval()
