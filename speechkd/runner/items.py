"""Items by id in a folder: arrays in safetensors shards, everything else in JSON lines. Equal items give equal bytes.

Layout: `items.json` (the ids of every shard), `shard-00000.safetensors` (arrays named `<id>/<array>`),
`shard-00000.jsonl` (one `{"id": …, "meta": …}` per line), `errors.jsonl` (items that failed: id and message).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from speechkd.errors import ArtifactError, DataError

SHARD_SIZE = 16
_OPEN_SHARDS = 16
V = TypeVar("V")


@dataclass(frozen=True)
class Item:
    """One result: arrays by name (no `/` in a name), and `meta`, anything that JSON can hold."""

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


class ItemWriter:
    """Collects items and writes them as a store; `close` (or leaving the `with` block) writes.

    Items are sorted by id and cut into shards of `shard_size`, so the bytes do not depend on the order of `add`.
    """

    def __init__(self, folder: Path, shard_size: int = SHARD_SIZE) -> None:
        self.folder = Path(folder)
        self.shard_size = shard_size
        self._items: dict[str, Item] = {}
        self._errors: dict[str, str] = {}

    def add(self, item_id: str, arrays: Mapping[str, np.ndarray] | None = None, meta: Any = None) -> None:
        """Add one item; DataError for an id that was added before."""
        if item_id in self._items:
            raise DataError("the id occurs twice", where=item_id)
        self._items[item_id] = Item(arrays or {}, meta if meta is not None else {})

    def error(self, item_id: str, message: str) -> None:
        """Note that an item failed."""
        self._errors[item_id] = message

    def close(self) -> None:
        """Write all files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ids = sorted(self._items)
        starts = range(0, len(ids), self.shard_size)
        shards = {shard_name(i): ids[start : start + self.shard_size] for i, start in enumerate(starts)}
        for name, shard in shards.items():
            write_shard(self.folder, name, {item_id: self._items[item_id] for item_id in shard})
        write_index(self.folder, shards, self._errors)

    def __enter__(self) -> ItemWriter:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is None:
            self.close()


def shard_name(index: int) -> str:
    """The file name (without suffix) of a shard."""
    return f"shard-{index:05d}"


def write_shard(folder: Path, name: str, items: Mapping[str, Item]) -> None:
    """Write the two files of one shard."""
    arrays = {
        f"{item_id}/{key}": _portable(value, item_id, key)
        for item_id in sorted(items)
        for key, value in sorted(items[item_id].arrays.items())
    }
    lines = [json_line({"id": item_id, "meta": items[item_id].meta}) for item_id in sorted(items)]
    (folder / f"{name}.safetensors").write_bytes(save(arrays))
    (folder / f"{name}.jsonl").write_bytes("".join(lines).encode())


def write_index(folder: Path, shards: Mapping[str, Sequence[str]], errors: Mapping[str, str]) -> None:
    """Write `items.json` and `errors.jsonl`, which make a folder of shards a store."""
    index = {"format": 1, "shards": {name: list(ids) for name, ids in shards.items()}}
    (folder / "items.json").write_bytes((json.dumps(index, sort_keys=True, indent=1) + "\n").encode())
    lines = [json_line({"error": errors[item_id], "id": item_id}) for item_id in sorted(errors)]
    (folder / "errors.jsonl").write_bytes("".join(lines).encode())


def json_line(value: Any) -> str:
    """One line of JSON; ValueError for NaN and infinity, TypeError for what JSON cannot hold."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _portable(value: np.ndarray, item_id: str, name: str) -> np.ndarray:
    """A contiguous little-endian array: safetensors would write the buffer of a view as it lies."""
    array = np.asarray(value, order="C")
    if array.dtype.kind not in "biuf" or not name or "/" in name:
        raise TypeError(f"{item_id}: the array {name!r} of {array.dtype} cannot be stored")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


class _Recent(Generic[V]):
    """A small cache of the most recently used values."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.values: OrderedDict[str, V] = OrderedDict()

    def get(self, key: str) -> V | None:
        if key not in self.values:
            return None
        self.values.move_to_end(key)
        return self.values[key]

    def put(self, key: str, value: V) -> V:
        self.values[key] = value
        if len(self.values) > self.size:
            self.values.popitem(last=False)
        return value


class ItemStore:
    """Reads a store; shards are opened when they are needed. Can be sent to other processes.

    Raises ArtifactError if the folder is not a store or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        index = self._read_index()
        self._shard_of = {item_id: name for name, ids in index.items() for item_id in ids}
        self.ids: tuple[str, ...] = tuple(sorted(self._shard_of))
        self._reset()

    def _reset(self) -> None:
        self._handles: _Recent[Any] = _Recent(_OPEN_SHARDS)
        self._metas: _Recent[dict[str, Any]] = _Recent(_OPEN_SHARDS)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "_shard_of": self._shard_of, "ids": self.ids}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._shard_of

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    @property
    def errors(self) -> list[tuple[str, str]]:
        """The items that failed: (id, message)."""
        return [(row["id"], row["error"]) for row in self._rows(self.folder / "errors.jsonl")]

    def meta(self, item_id: str) -> dict[str, Any]:
        """The JSON part of an item."""
        name = self._shard(item_id)
        metas = self._metas.get(name)
        if metas is None:
            rows = self._rows(self.folder / f"{name}.jsonl")
            metas = self._metas.put(name, {row["id"]: row["meta"] for row in rows})
        if item_id not in metas:
            path = self.folder / f"{name}.jsonl"
            raise ArtifactError("the shard lacks an item of the index", where=str(path), why=item_id)
        found: dict[str, Any] = metas[item_id]
        return found

    def array(self, item_id: str, name: str) -> np.ndarray:
        """One array of an item."""
        shard = self._shard(item_id)
        try:
            array: np.ndarray = self._handle(shard).get_tensor(f"{item_id}/{name}")
        except SafetensorError as error:
            path = self.folder / f"{shard}.safetensors"
            raise ArtifactError(f"item {item_id} has no array {name}", where=str(path), why=str(error)) from error
        return array

    def arrays(self, item_id: str) -> dict[str, np.ndarray]:
        """All arrays of an item by name."""
        keys = (key.rpartition("/") for key in self._handle(self._shard(item_id)).keys())  # noqa: SIM118
        return {name: self.array(item_id, name) for owner, _, name in keys if owner == item_id}

    def _shard(self, item_id: str) -> str:
        if item_id not in self._shard_of:
            raise DataError("there is no such item", where=str(self.folder), why=item_id)
        return self._shard_of[item_id]

    def _handle(self, name: str) -> Any:
        handle = self._handles.get(name)
        if handle is None:
            path = self.folder / f"{name}.safetensors"
            try:
                handle = self._handles.put(name, safe_open(str(path), framework="np"))
            except (SafetensorError, OSError) as error:
                raise ArtifactError("not a readable shard", where=str(path), why=str(error)) from error
        return handle

    def _read_index(self) -> dict[str, list[str]]:
        path = self.folder / "items.json"
        try:
            index = json.loads(path.read_text(encoding="utf-8"))
            shards = index["shards"]
            if index["format"] != 1 or not all(isinstance(ids, list) for ids in shards.values()):
                raise ValueError("unknown format")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ArtifactError("not an item store", where=str(path), why=str(error)) from error
        return dict(shards)

    def _rows(self, path: Path) -> list[dict[str, Any]]:
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
            rows = [json.loads(line) for line in lines if line]
            if not all(isinstance(row, dict) and "id" in row and ("meta" in row or "error" in row) for row in rows):
                raise ValueError("not the lines of an item store")
        except (OSError, ValueError, RecursionError) as error:
            raise ArtifactError("cannot be read", where=str(path), why=str(error)) from error
        return rows
