"""The part of a configuration that a stage may read: nothing else is reachable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from speechkd.config import flatten, jsonable
from speechkd.errors import StageError
from speechkd.runner.stage import Stage


class UndeclaredFieldError(StageError):
    """A stage read a field that it did not declare, so a change of the field would not make it stale."""


class Slice:
    """Stands for a config object; only declared fields, and the way to them, can be read.

    A list of config objects is looped over; what may be read of each is declared with `*` in its place.
    """

    __slots__ = ("_allowed", "_prefix", "_stage", "_value")

    def __init__(self, value: Any, allowed: Sequence[str], stage: str, prefix: str = "") -> None:
        object.__setattr__(self, "_value", value)
        object.__setattr__(self, "_allowed", tuple(allowed))
        object.__setattr__(self, "_stage", stage)
        object.__setattr__(self, "_prefix", prefix)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        path = f"{self._prefix}{name}"
        if any(path == each for each in self._allowed):
            return getattr(self._value, name)
        if any(each.startswith(path + ".") for each in self._allowed):
            below = getattr(self._value, name)
            return below if below is None else Slice(below, self._allowed, self._stage, path + ".")
        raise UndeclaredFieldError(
            f"stage {self._stage} read the config field {path}, which it does not declare",
            todo=f"Add {path!r} to the stage's uses",
        )

    def __iter__(self) -> Iterator[Slice]:
        return (Slice(each, self._allowed, self._stage, self._prefix + "*.") for each in self._value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a config slice cannot be changed")

    def __repr__(self) -> str:
        return f"Slice({', '.join(self._allowed)})"


def make_slice(cfg: Any, stage: Stage) -> Slice:
    """The view of `cfg` that `stage` gets."""
    return Slice(cfg, (*stage.uses, *stage.external), stage.name)


def slice_leaves(cfg: Any, stage: Stage) -> dict[str, Any]:
    """The leaves of the slice by dotted path, as JSON values, without the locations of external files."""
    leaves: dict[str, Any] = {}
    for path in stage.uses:
        leaves.update(flatten(jsonable(get_path(cfg, path)), path))
    return {path: value for path, value in leaves.items() if path not in stage.external}


def default_leaves(cfg: Any) -> frozenset[str]:
    """The leaves of a configuration, by dotted path, that have their default."""
    return frozenset(_default_leaves(cfg, ""))


def _default_leaves(section: Any, prefix: str) -> Iterator[str]:
    if not isinstance(section, BaseModel):
        return
    for name, field in type(section).model_fields.items():
        value, path = getattr(section, name), f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from _default_leaves(value, path + ".")
        elif not field.is_required() and value == field.get_default(call_default_factory=True):
            yield from flatten(jsonable(value), path)


def get_path(cfg: Any, path: str) -> Any:
    """The value at a dotted path; None below a value that is None or a choice without the field.

    `*` stands for all elements of a list, whose values come as a list.
    """
    name, _, rest = path.partition(".")
    if name == "*":
        return [get_path(each, rest) if rest else each for each in cfg or ()]
    value = getattr(cfg, name, None)
    return get_path(value, rest) if rest else value
