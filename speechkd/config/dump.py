"""A configuration as text, as a digest, and compared with another one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel


def jsonable(value: Any) -> Any:
    """`value` as JSON values: models become mappings, paths text, tuples lists. Raises TypeError for anything else."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted(jsonable(each) for each in value)
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"a configuration cannot hold a {type(value).__name__}")


def canonical(value: Any) -> str:
    """The one JSON text of `value`: sorted keys, no spaces, ASCII."""
    return json.dumps(jsonable(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of a configuration or of any part of it."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def dump_config(config: BaseModel) -> str:
    """The resolved configuration as YAML that loads to the same object."""
    return yaml.safe_dump(jsonable(config), sort_keys=False, allow_unicode=True, width=100)


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of a configuration by dotted path. Lists are leaves; so is an empty mapping."""
    value = jsonable(value) if not prefix else value
    if not isinstance(value, dict) or not value:
        return {prefix: value}
    leaves: dict[str, Any] = {}
    for key, child in value.items():
        leaves.update(flatten(child, f"{prefix}.{key}" if prefix else key))
    return leaves


def diff(old: Any, new: Any) -> list[tuple[str, str, str]]:
    """The leaves that differ: (dotted path, old value, new value); a value that is absent reads `(none)`."""
    before, after = flatten(old), flatten(new)
    return diff_leaves(before, after)


def diff_leaves(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Like `diff`, of two flattened configurations."""
    absent = object()
    changed = []
    for path in sorted({*before, *after}):
        a, b = before.get(path, absent), after.get(path, absent)
        if a != b or type(a) is not type(b):
            changed.append((path, "(none)" if a is absent else show(a), "(none)" if b is absent else show(b)))
    return changed


def show(value: Any) -> str:
    """A leaf as a person would write it: text bare, everything else as JSON."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
