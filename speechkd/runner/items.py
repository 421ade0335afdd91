"""Items by id in a folder: arrays in safetensors shards, everything else in JSON lines. Equal items give equal bytes.

Layout: `items.json` (the first id and the number of items of every shard, which hold the ids in order), `ids.jsonl`
(the ids, a line per shard), `shard-00000.safetensors` (arrays named `<id>/<array>`),
`shard-00000.jsonl` (one `{"id": …, "meta": …}` per line), `errors.jsonl` (items that failed: id and message).
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from speechkd.errors import ArtifactError, DataError

SHARD_SIZE = 16
FORMAT = 2
_SHARDS = 512
_LARGEST_SHARD = 128
_OPEN_SHARDS = 16
_OPEN_METAS = 4  # parsed JSON takes many times the room of its text
V = TypeVar("V")


@dataclass(frozen=True)
class Item:
    """One result: arrays by name (no `/` in a name), and `meta`, anything that JSON can hold."""

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


class ItemWriter:
    """Collects items and writes them as a store; `close` (or leaving the `with` block) writes the rest.

    Items are sorted by id and cut into shards of `shard_size`, so the bytes do not depend on the order of `add`.
    With `in_order` they must come sorted; then each shard is written when it is full, and only one is held.
    """

    def __init__(self, folder: Path, shard_size: int = SHARD_SIZE, in_order: bool = False) -> None:
        self.folder = Path(folder)
        self.shard_size = shard_size
        self.in_order = in_order
        self._items: dict[str, Item] = {}
        self._errors: dict[str, str] = {}
        self._shards: dict[str, list[str]] = {}
        self._last = ""

    def add(self, item_id: str, arrays: Mapping[str, np.ndarray] | None = None, meta: Any = None) -> None:
        """Add one item; DataError for an id that was added before, or out of order where order is asked for."""
        if item_id in self._items or (self.in_order and item_id == self._last):
            raise DataError("the id occurs twice", where=item_id)
        if self.in_order and item_id < self._last:
            raise DataError("the items are not in order", where=item_id, why=f"it comes after {self._last}")
        self._items[item_id] = Item(arrays or {}, meta if meta is not None else {})
        self._last = item_id
        if self.in_order and len(self._items) == self.shard_size:
            self._write(list(self._items))

    def error(self, item_id: str, message: str) -> None:
        """Note that an item failed."""
        self._errors[item_id] = message

    def _write(self, ids: list[str]) -> None:
        """One more shard."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name = shard_name(len(self._shards))
        write_shard(self.folder, name, {item_id: self._items.pop(item_id) for item_id in ids})
        self._shards[name] = ids

    def close(self) -> None:
        """Write what is left, and the index."""
        self.folder.mkdir(parents=True, exist_ok=True)
        while self._items:
            self._write(sorted(self._items)[: self.shard_size])
        write_index(self.folder, self._shards, self._errors)

    def __enter__(self) -> ItemWriter:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is None:
            self.close()


def shard_size(n_items: int) -> int:
    """Items per shard: few, so that a kill costs little, and more in a large corpus, so that there are not too many
    files. Depends on the number of items alone, never on the workers.
    """
    return min(max(SHARD_SIZE, n_items // _SHARDS), _LARGEST_SHARD)


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
    """Write what makes a folder of shards a store. The shards are given in the order of their ids."""
    index = {"format": FORMAT, "shards": {name: [ids[0], len(ids)] for name, ids in shards.items()}}
    (folder / "items.json").write_bytes(json_line(index).encode())
    (folder / "ids.jsonl").write_bytes("".join(json_line(list(ids)) for ids in shards.values()).encode())
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
    """Reads a store; shards are opened when they are needed, and only a line per shard is kept of the index.

    Can be sent to other processes: they get the folder and open it themselves, once. Raises ArtifactError if the
    folder is not a store or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        index = self._read_index()
        self._names = list(index)
        self._firsts = [first for first, _ in index.values()]
        self._sizes = {name: size for name, (_, size) in index.items()}
        self._handles: _Recent[Any] = _Recent(_OPEN_SHARDS)
        self._metas: _Recent[dict[str, Any]] = _Recent(_OPEN_METAS)

    def __reduce__(self) -> tuple[Any, ...]:
        return open_store, (self.folder,)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(item_id for ids in self.shards().values() for item_id in ids)

    def shards(self) -> dict[str, list[str]]:
        """The ids of every shard, in order."""
        if (self.folder / "ids.jsonl").exists():
            rows = self._lines(self.folder / "ids.jsonl")
        else:  # format 1
            rows = list(self._parse_index()["shards"].values())
        if [len(row) for row in rows] != list(self._sizes.values()):
            raise ArtifactError("the ids do not fit items.json", where=str(self.folder / "ids.jsonl"))
        return dict(zip(self._names, rows, strict=True))

    def __len__(self) -> int:
        return sum(self._sizes.values())

    def __contains__(self, item_id: object) -> bool:
        place = bisect_left(self.ids, item_id) if isinstance(item_id, str) else len(self.ids)
        return place < len(self.ids) and self.ids[place] == item_id

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    @property
    def errors(self) -> list[tuple[str, str]]:
        """The items that failed: (id, message)."""
        return [(row["id"], row["error"]) for row in self._rows(self.folder / "errors.jsonl")]

    def meta(self, item_id: str) -> dict[str, Any]:
        """The JSON part of an item."""
        found: dict[str, Any] = self._shard_metas(self._shard(item_id))[self._known(item_id)]
        return found

    def array(self, item_id: str, name: str) -> np.ndarray:
        """One array of an item."""
        shard = self._shard(item_id)
        try:
            array: np.ndarray = self._handle(shard).get_tensor(f"{item_id}/{name}")
        except SafetensorError as error:
            path = self.folder / f"{shard}.safetensors"
            self._known(item_id)
            raise ArtifactError(f"item {item_id} has no array {name}", where=str(path), why=str(error)) from error
        return array

    def arrays(self, item_id: str) -> dict[str, np.ndarray]:
        """All arrays of an item by name."""
        keys = (key.rpartition("/") for key in self._handle(self._shard(item_id)).keys())  # noqa: SIM118
        found = {name: self.array(item_id, name) for owner, _, name in keys if owner == item_id}
        return found if found or self._known(item_id) else {}

    def _shard(self, item_id: str) -> str:
        """The shard that holds an item if any does."""
        place = bisect_right(self._firsts, item_id) - 1
        if place < 0:
            raise DataError("there is no such item", where=str(self.folder), why=item_id)
        return self._names[place]

    def _known(self, item_id: str) -> str:
        """The id itself; DataError if there is no such item."""
        if item_id not in self._shard_metas(self._shard(item_id)):
            raise DataError("there is no such item", where=str(self.folder), why=item_id)
        return item_id

    def _shard_metas(self, name: str) -> dict[str, Any]:
        metas = self._metas.get(name)
        if metas is None:
            path = self.folder / f"{name}.jsonl"
            metas = self._metas.put(name, {row["id"]: row["meta"] for row in self._rows(path)})
            if len(metas) != self._sizes[name]:
                raise ArtifactError("the shard has other items than the index", where=str(path))
        return metas

    def _handle(self, name: str) -> Any:
        handle = self._handles.get(name)
        if handle is None:
            path = self.folder / f"{name}.safetensors"
            try:
                handle = self._handles.put(name, safe_open(str(path), framework="np"))
            except (SafetensorError, OSError) as error:
                raise ArtifactError("not a readable shard", where=str(path), why=str(error)) from error
        return handle

    def _read_index(self) -> dict[str, tuple[str, int]]:
        """First id and number of items of every shard."""
        index = self._parse_index()
        try:
            if index["format"] == 1:
                return {name: (ids[0], len(ids)) for name, ids in index["shards"].items()}
            if index["format"] != FORMAT:
                raise ValueError("unknown format")
            return {name: (str(first), int(size)) for name, (first, size) in index["shards"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ArtifactError("not an item store", where=str(self.folder / "items.json"), why=str(error)) from error

    def _parse_index(self) -> Any:
        path = self.folder / "items.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ArtifactError("not an item store", where=str(path), why=str(error)) from error

    def _lines(self, path: Path) -> list[Any]:
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        except (OSError, ValueError, RecursionError) as error:
            raise ArtifactError("cannot be read", where=str(path), why=str(error)) from error

    def _rows(self, path: Path) -> list[dict[str, Any]]:
        rows = self._lines(path)
        if not all(isinstance(row, dict) and "id" in row and ("meta" in row or "error" in row) for row in rows):
            raise ArtifactError("cannot be read", where=str(path), why="not the lines of an item store")
        return rows


def open_store(folder: Path) -> ItemStore:
    """The store in a folder, opened once per process for as long as the folder holds the same one."""
    try:
        info = os.stat(Path(folder) / "items.json")
        key = (info.st_dev, info.st_ino, info.st_mtime_ns, info.st_size)
    except OSError:
        return ItemStore(folder)
    return _opened(Path(folder), key)


@lru_cache(maxsize=8)
def _opened(folder: Path, key: tuple[int, ...]) -> ItemStore:
    return ItemStore(folder)
