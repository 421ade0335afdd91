"""An acoustic model as a folder: model.json rebuilds it, model.safetensors fills it."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from speechkd.errors import ArtifactError
from speechkd.models.tts.config import FastSpeech2Config
from speechkd.models.tts.fastspeech2 import FastSpeech2

CONFIG, WEIGHTS = "model.json", "model.safetensors"


def save_model(folder: Path, model: FastSpeech2) -> None:
    """Write a model into an existing folder."""
    (folder / CONFIG).write_text(model.config.model_dump_json(indent=1), encoding="utf-8")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)


def load_model(folder: Path) -> FastSpeech2:
    """Read what `save_model` wrote, in evaluation mode. ArtifactError when it cannot be read."""
    try:
        config = FastSpeech2Config.model_validate_json((folder / CONFIG).read_text(encoding="utf-8"))
        model = FastSpeech2(config)
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(
            "the model cannot be read", where=str(folder), why=str(error), todo="Run the stage train again"
        ) from error
    return model.eval()
