"""What a teacher gives to a student: named tensors with declared axes. Knows no torch, so that plans are light."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from speechkd.errors import StageError

if TYPE_CHECKING:
    from torch import Tensor

Axis = Literal[
    "token", "frame", "mel", "class", "top_k", "feature", "channel", "height", "width", "patch", "layer", "head", "step"
]
Targets: TypeAlias = "Mapping[str, Tensor]"
"""Targets of a batch by name: (B, *axes), zero where an item is shorter than the longest along a variable axis."""

VARIABLE_AXES = frozenset({"token", "frame"})
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


@dataclass(frozen=True)
class TargetSpec:
    """One target: its axes without the batch axis (none: a number per item), its dtype, and who makes it.

    `producer` is the fingerprint of the teacher; empty in a plan that is made before the teacher is. Sizes along
    `token` and `frame` differ between items, all others are equal. Raises ValueError for what no target can be.
    """

    name: str
    axes: tuple[Axis, ...]
    dtype: str
    producer: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", tuple(self.axes))
        unknown = [axis for axis in self.axes if axis not in get_args(Axis)]
        if unknown or not self.name or "/" in self.name:
            raise ValueError(
                f"target {self.name!r}: not an axis: {unknown}" if unknown else f"not a name: {self.name!r}"
            )
        if self.dtype not in DTYPES:
            raise ValueError(f"target {self.name}: {self.dtype!r} is not one of {', '.join(DTYPES)}")

    def by(self, producer: str) -> TargetSpec:
        """The same target of a teacher with this fingerprint."""
        return replace(self, producer=producer)

    def form(self) -> str:
        """Axes and dtype for people: `(frame, mel) float32`."""
        return f"({', '.join(self.axes)}) {self.dtype}"

    def misfit(self, dtype: object, n_axes: int) -> str:
        """What is wrong with an item whose array has this dtype and number of axes; empty if nothing."""
        found = str(dtype).removeprefix("torch.")
        if found == self.dtype and n_axes == len(self.axes):
            return ""
        return f"target {self.name} should be {self.form()}, and is {found} with {n_axes} axes"


def only_producer(specs: Iterable[TargetSpec]) -> str:
    """The fingerprint of the one teacher that makes these targets; ValueError if there are none, or two teachers."""
    producers = {spec.producer for spec in specs}
    if len(producers) != 1 or "" in producers:
        raise ValueError(f"the targets of one teacher carry its fingerprint; found {sorted(producers)}")
    return producers.pop()


def check_targets(targets: Targets, specs: Sequence[TargetSpec], n_items: int | None = None) -> None:
    """StageError unless `targets` are what `specs` declare, for a batch of `n_items` (None: any)."""
    made, declared = set(targets), {spec.name for spec in specs}
    if made != declared:
        raise StageError(
            "the teacher makes other targets than it declares",
            why=f"not declared: {_names(made - declared)}; not made: {_names(declared - made)}",
            todo="Name the same targets in its specs and in what produces them",
        )
    for spec in specs:
        tensor = targets[spec.name]
        if why := spec.misfit(tensor.dtype, tensor.ndim - 1):
            raise StageError("the teacher makes another target than it declares", why=f"{why} (besides the batch)")
        if n_items is not None and tensor.shape[0] != n_items:
            raise StageError(
                f"target {spec.name} is of another batch", why=f"{tensor.shape[0]} rows for {n_items} items"
            )


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
