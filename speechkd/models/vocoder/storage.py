"""The cache of converted checkpoints: folders that are either whole or absent."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from speechkd.runner.publish import publish_folder, remove


def cache_root() -> Path:
    """Where converted files are kept: $SPEECHKD_CACHE, or speechkd in the user's cache folder."""
    chosen = os.environ.get("SPEECHKD_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "speechkd"


def write_folder(folder: Path, contents: Mapping[str, str | Mapping[str, Tensor]]) -> None:
    """Write text and safetensors files into a folder that appears under its name only when it is whole.

    Raises OSError or ResourceError when the place cannot be written to.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name[:16]}.", dir=folder.parent))
    try:
        for name, content in contents.items():
            if isinstance(content, str):
                (draft / name).write_text(content, encoding="utf-8")
            else:
                save_file(dict(content), draft / name)
        publish_folder(draft, folder)
    finally:
        remove(draft)
