"""Who a teacher is: a digest of what rebuilds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from speechkd.config import digest
from speechkd.errors import ArtifactError
from speechkd.runner.digests import file_digest

DESCRIPTIONS = ("model.json", "config.json")


def fingerprint(folder: Path, also: Sequence[str] = ()) -> str:
    """SHA-256 (hex) over the names and bytes of a model's description and of its weights (`*.safetensors`).

    `also` names further files of the folder that its targets depend on. Histories, pictures and cards do not count.
    ArtifactError if the folder holds no model.
    """
    descriptions = [folder / name for name in DESCRIPTIONS if (folder / name).is_file()]
    weights = sorted(folder.glob("*.safetensors"))
    if not descriptions or not weights:
        missing = " or ".join(DESCRIPTIONS) if not descriptions else "*.safetensors"
        raise ArtifactError("this folder holds no model", where=str(folder), why=f"there is no {missing}")
    files = [*descriptions, *weights, *(folder / name for name in sorted(also))]
    for path in files:
        if not path.is_file():
            raise ArtifactError("a file of the model is missing", where=str(path))
    return digest([[path.name, file_digest(path)] for path in files])
