"""Checkpoints: a folder of safetensors and JSON, complete or absent, verified before use."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from speechkd.errors import ArtifactError
from speechkd.runner.publish import fresh_folder, publish_folder, resource_errors

Row = dict[str, Any]


@dataclass
class Progress:
    """Where a run stands. `history` holds one row per logged step and per validation, in order."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # next batch of the epoch
    best: float | None = None
    best_step: int = 0
    stale_validations: int = 0
    history: list[Row] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)  # losses since the last logged row


def write_checkpoint(folder: Path, tensors: dict[str, dict[str, Tensor]], progress: Progress) -> None:
    """Publish a checkpoint: one safetensors file per entry of `tensors`, and state.json with their digests."""
    temporary = fresh_folder(folder.with_name(f".{folder.name}.tmp"))
    digests = {}
    with resource_errors(folder):
        for name, values in tensors.items():
            path = temporary / f"{name}.safetensors"
            save_file({key: value.detach().cpu().contiguous() for key, value in values.items()}, path)
            digests[name] = _sha256(path)
        state = {"format": 1, "digests": digests, "progress": vars(progress)}
        state["progress_digest"] = _progress_digest(vars(progress))
        (temporary / "state.json").write_text(json.dumps(state, sort_keys=True, indent=1), encoding="utf-8")
    publish_folder(temporary, folder)


def read_checkpoint(folder: Path) -> tuple[dict[str, dict[str, Tensor]], Progress]:
    """Read and verify a checkpoint. Raises ArtifactError naming the file that is missing or was changed."""
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        digests, progress = state["digests"], Progress(**state["progress"])
        known = state.get("progress_digest", _progress_digest(state["progress"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError("checkpoint cannot be read", where=str(folder / "state.json"), why=str(error)) from error
    if known != _progress_digest(state["progress"]):
        why = "its progress is not what was written"
        raise ArtifactError("checkpoint is damaged", where=str(folder / "state.json"), why=why)
    tensors = {}
    for name, digest in digests.items():
        path = folder / f"{name}.safetensors"
        if not path.is_file() or _sha256(path) != digest:
            raise ArtifactError("checkpoint is damaged", where=str(path), why="its digest is not the recorded one")
        tensors[name] = load_file(path)
    return tensors, progress


def checkpoints(root: Path) -> list[Path]:
    """Step checkpoints under root, oldest first."""
    return sorted(path for path in root.glob("step-*") if path.is_dir())


def remove_old(root: Path, keep: int) -> None:
    """Delete all but the newest `keep` step checkpoints."""
    for path in checkpoints(root)[:-keep]:
        shutil.rmtree(path)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as named tensors: `<parameter index>/<name>`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}/{name}": torch.as_tensor(value) for index, values in state.items() for name, value in values.items()
    }


def load_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Undo `optimizer_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _progress_digest(progress: Row) -> str:
    return hashlib.sha256(json.dumps(progress, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
