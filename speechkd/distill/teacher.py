"""Teachers: a frozen network that is asked live, or what one said before, read from a store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from types import MethodType
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from speechkd.config import digest
from speechkd.distill.store import Array, TargetStore
from speechkd.distill.targets import VARIABLE_AXES, Targets, TargetSpec, check_targets, only_producer
from speechkd.errors import ArtifactError, StageError

CACHE_BYTES = 256 * 2**20
Model = TypeVar("Model", bound=nn.Module)
Produce = Callable[[Any, Any], Targets]


class Teacher(Protocol):
    """Who gives targets."""

    @property
    def specs(self) -> tuple[TargetSpec, ...]:
        """The targets it gives."""

    @property
    def fingerprint(self) -> str:
        """Who it is."""

    def targets(self, batch: Any) -> Targets:
        """The targets of a batch, on its device, without gradients."""


class LiveTeacher:
    """A network that is asked at every step: `produce(model, batch) -> Targets` says how.

    The network is frozen for good, in place: evaluation mode (its `train()` does nothing any more, whoever calls it),
    no parameter asks for gradients. It answers as it would where targets are stored: autocast is off, and what
    `produce` draws at random leaves the student's random numbers as they were. It moves to the device of the batch.
    Its fingerprint is the producer of `specs`.
    """

    def __init__(self, model: nn.Module, produce: Produce, specs: Sequence[TargetSpec]) -> None:
        self.model = frozen(model)
        self.produce = produce
        self.specs = tuple(specs)
        self.fingerprint = only_producer(specs)

    def targets(self, batch: Any) -> Targets:
        """The network's targets. StageError if they are not what `specs` declare."""
        device = device_of(batch)
        self._move(device)
        with torch.no_grad(), _own_draws(device), torch.autocast(device.type, enabled=False):
            targets = self.produce(self.model, batch)
        ids = _part(batch, "ids")
        check_targets(targets, self.specs, None if ids is None else len(ids))
        return targets

    def _move(self, device: torch.device) -> None:
        first = next(self.model.parameters(), None)
        if first is not None and first.device != device:
            self.model.to(device)


class StoredTargets:
    """The targets that a teacher stored, found by `batch.ids` and padded with zeros. Holds the most recent ones."""

    def __init__(self, store: TargetStore, cache_bytes: int = CACHE_BYTES) -> None:
        self.store = store
        self._cache = _Cache(cache_bytes)

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredTargets, (self.store, self._cache.limit)

    @property
    def specs(self) -> tuple[TargetSpec, ...]:
        """The targets of the store."""
        return self.store.specs

    @property
    def fingerprint(self) -> str:
        """The teacher that made them."""
        return self.store.teacher

    def targets(self, batch: Any) -> Targets:
        """The batch's targets. DataError for an id that has none, StageError for a batch without ids."""
        ids, device = _part(batch, "ids"), device_of(batch)
        if not ids:
            raise StageError("stored targets are found by id, and the batch has no `ids`")
        items = [self._arrays(item_id) for item_id in ids]
        return {spec.name: padded([item[spec.name] for item in items], spec, ids).to(device) for spec in self.specs}

    def _arrays(self, item_id: str) -> Mapping[str, Array]:
        found = self._cache.get(item_id)
        return self._cache.put(item_id, self.store.arrays(item_id)) if found is None else found


class JoinedTeachers:
    """Several teachers with targets of different names, as one: logits from a store with features from a network."""

    def __init__(self, *teachers: Teacher) -> None:
        self.teachers = teachers
        self.specs = tuple(spec for teacher in teachers for spec in teacher.specs)
        self.fingerprint = digest([teacher.fingerprint for teacher in teachers])
        names = [spec.name for spec in self.specs]
        if len(set(names)) < len(names):
            raise ValueError(f"two teachers give a target of the same name: {sorted(names)}")

    def targets(self, batch: Any) -> Targets:
        """The targets of all."""
        return {name: tensor for teacher in self.teachers for name, tensor in teacher.targets(batch).items()}


def padded(rows: Sequence[Array], spec: TargetSpec, ids: Sequence[str]) -> Tensor:
    """(B, *axes): the items' arrays, zero after the end of the shorter ones. ArtifactError if other axes differ."""
    sizes = [max(row.shape[axis] for row in rows) for axis in range(len(spec.axes))]
    out = torch.zeros((len(rows), *sizes), dtype=getattr(torch, spec.dtype))
    for place, (item_id, row) in enumerate(zip(ids, rows, strict=True)):
        for axis, size, own in zip(spec.axes, sizes, row.shape, strict=True):
            if axis not in VARIABLE_AXES and own != size:
                raise ArtifactError(
                    f"target {spec.name} has {own} along {axis}, others of its batch have {size}", where=item_id,
                    why=f"items may differ along {' and '.join(sorted(VARIABLE_AXES))} only",
                )  # fmt: skip
        part: Any = (place, *(slice(size) for size in row.shape))
        out[part] = torch.from_numpy(row)
    return out


def frozen(model: Model) -> Model:
    """The same model, in evaluation mode for good and without gradients. `trainable_copy` gives one that can learn."""
    model.eval().requires_grad_(False)
    for module in model.modules():
        module.train = MethodType(_stay, module)  # type: ignore[method-assign]
    return model


def trainable_copy(model: Model) -> Model:
    """A copy that learns, of a model that may be frozen: for students that start as their teacher."""
    copy = deepcopy(model)
    for module in copy.modules():
        module.__dict__.pop("train", None)
    return copy.requires_grad_(True).train()


def _stay(module: nn.Module, mode: bool = True) -> nn.Module:
    """In place of `nn.Module.train` on a frozen instance."""
    return module


def device_of(batch: Any) -> torch.device:
    """Where a batch lies: its `device`, or that of its first tensor. StageError if it holds none."""
    if isinstance(batch, Tensor):
        return batch.device
    device = _part(batch, "device")
    if device is not None:
        return torch.device(device)
    values = batch.values() if isinstance(batch, Mapping) else getattr(batch, "__dict__", {}).values()
    for value in values:
        if isinstance(value, Tensor):
            return value.device
    raise StageError("the batch has no device", why="it holds no tensor")


def _part(batch: Any, name: str) -> Any:
    """A part of a batch, which is an object or a mapping; None if it has none of this name."""
    return batch.get(name) if isinstance(batch, Mapping) else getattr(batch, name, None)


@contextmanager
def _own_draws(device: torch.device) -> Iterator[None]:
    """What is drawn at random inside does not count outside."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        yield


class _Cache:
    """The most recently used items, up to so many bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.n_bytes = 0
        self._items: OrderedDict[str, Mapping[str, Array]] = OrderedDict()

    def get(self, item_id: str) -> Mapping[str, Array] | None:
        if item_id in self._items:
            self._items.move_to_end(item_id)
        return self._items.get(item_id)

    def put(self, item_id: str, arrays: Mapping[str, Array]) -> Mapping[str, Array]:
        self._items[item_id] = arrays
        self.n_bytes += _n_bytes(arrays)
        while self.n_bytes > self.limit:
            self.n_bytes -= _n_bytes(self._items.popitem(last=False)[1])
        return arrays


def _n_bytes(arrays: Mapping[str, Array]) -> int:
    return sum(array.nbytes for array in arrays.values())
