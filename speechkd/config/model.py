"""The base of every configuration object."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from speechkd.config.tree import LocatedStr


class Config(BaseModel):
    """A frozen, typed part of a configuration; unknown keys are refused.

    Subclasses declare fields with types, ranges and defaults, and may override `problems` for checks across fields.
    `hints`: what to say about keys that people look for here and that are not there.
    """

    hints: ClassVar[dict[str, str]] = {}

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, protected_namespaces=()
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """What is wrong across fields: pairs of (dotted path relative to this object, message)."""
        return ()


def _resolve(value: Any) -> Any:
    """An absolute path: relative ones start where the text was written, or at the working directory."""
    if isinstance(value, LocatedStr):
        if not value:
            raise ValueError("a path may not be empty")
        value = value.folder / os.path.expanduser(value)
    return Path(os.path.abspath(value)) if isinstance(value, (str, Path)) else value


ConfigPath = Annotated[Path, BeforeValidator(_resolve)]
"""A path of the file system. Relative: from the YAML file's folder, or from the working directory for `--set`."""
