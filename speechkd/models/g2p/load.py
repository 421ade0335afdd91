"""The network as a folder: model.json rebuilds it, model.safetensors fills it."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from speechkd.errors import ArtifactError
from speechkd.models.g2p.config import G2pNetworkConfig
from speechkd.models.g2p.network import G2pNetwork

CONFIG, WEIGHTS = "model.json", "model.safetensors"


def save_model(folder: Path, model: G2pNetwork) -> None:
    """Write a model into an existing folder."""
    described = {"network": model.config.model_dump(), "tags": list(model.tag_names)}
    (folder / CONFIG).write_text(json.dumps(described, indent=1, sort_keys=True), encoding="utf-8")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)


def load_model(folder: Path) -> G2pNetwork:
    """Read what `save_model` wrote, in evaluation mode. ArtifactError when it cannot be read."""
    try:
        described = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        model = G2pNetwork(G2pNetworkConfig.model_validate(described["network"]), described["tags"])
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(
            "the model cannot be read", where=str(folder), why=str(error), todo="Run the stage train again"
        ) from error
    return model.eval()
