"""A lip reader as a folder: model.json rebuilds it, model.safetensors fills it."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from speechkd.errors import ArtifactError
from speechkd.models.lipreading.config import LipReaderConfig
from speechkd.models.lipreading.reader import LipReader
from speechkd.models.lipreading.reading import Reader

CONFIG, WEIGHTS = "model.json", "model.safetensors"
KIND = "lipreader"


def save_model(folder: Path, model: LipReader) -> None:
    """Write a lip reader into an existing folder."""
    content = {"model": KIND, "config": model.config.model_dump(mode="json")}
    (folder / CONFIG).write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)


def load_model(folder: Path) -> LipReader:
    """Read what `save_model` wrote, in evaluation mode. ArtifactError when it cannot be read."""
    try:
        content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if content["model"] != KIND:
            raise ValueError(f"it holds a {content['model']!r}, not a {KIND!r}")
        model = LipReader(LipReaderConfig.model_validate(content["config"]))
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(
            "the lip reader cannot be read", where=str(folder), why=str(error), todo="Run the stage train again"
        ) from error
    return model.eval()


def load_reader(folder: Path) -> Reader:
    """A folder's lip reader, ready to read clips. ArtifactError when it cannot be read."""
    return Reader(load_model(folder))
