"""One function over many items: shards by item id, published one by one, the same bytes for any number of workers."""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechkd.errors import DataError, SpeechkdError, StageError
from speechkd.runner import items as items_format
from speechkd.runner.items import SHARD_SIZE, Item, json_line, shard_name, write_index, write_shard
from speechkd.runner.pool import Executor, Task, one_thread_here, run_tasks
from speechkd.runner.publish import as_resource_error, fresh_folder, publish_folder, remove, resource_errors

MapFunction = Callable[[str, Any, Any], Item]
_SHOWN_ERRORS = 5


@dataclass(frozen=True)
class ItemError:
    """An item that failed, and why."""

    id: str
    message: str


@dataclass(frozen=True)
class MapReport:
    """What became of the items: `n_items == n_done + len(errors)`."""

    n_items: int
    n_done: int
    errors: tuple[ItemError, ...]


@dataclass(frozen=True)
class Shard:
    """Items that are worked on and published together."""

    index: int
    items: tuple[tuple[str, Any], ...]

    @property
    def ids(self) -> list[str]:
        """The ids, sorted."""
        return [item_id for item_id, _ in self.items]

    @property
    def label(self) -> str:
        """How messages name the shard."""
        return f"shard {self.index} ({self.items[0][0]} … {self.items[-1][0]})"


def cut(items: Iterable[tuple[str, Any]], size: int = SHARD_SIZE) -> list[Shard]:
    """Shards of `size` items, sorted by id. Raises StageError for an id that occurs twice or is not text."""
    pairs = list(items)
    for item_id, _ in pairs:
        if not isinstance(item_id, str) or not item_id:
            raise StageError(f"{item_id!r} is not an item id", why="ids are text")
    pairs.sort(key=lambda pair: pair[0])
    for first, second in itertools.pairwise(pairs):
        if first[0] == second[0]:
            raise StageError("an item id occurs twice", where=first[0])
    return [Shard(i, tuple(pairs[start : start + size])) for i, start in enumerate(range(0, len(pairs), size))]


def run_shard(
    function: MapFunction, shard: Shard, common: Any, target: Path, on_item: Callable[[], None] | None = None
) -> int:
    """Work through a shard and publish its folder; returns the number of its items. Runs in the worker."""
    good: dict[str, Item] = {}
    bad: dict[str, str] = {}
    for item_id, value in shard.items:
        try:
            good[item_id] = _checked(function(item_id, value, common))
        except DataError as error:
            bad[item_id] = str(error)
        except SpeechkdError:
            raise
        except Exception as error:
            resource = as_resource_error(error, target) if isinstance(error, OSError) else None
            why = f"{type(error).__name__}: {error}"
            raise resource or StageError("the item failed", where=item_id, why=why) from error
        if on_item is not None:
            on_item()
    with resource_errors(target):
        temporary = fresh_folder(target.with_name(f".{target.name}.{os.getpid()}.tmp"))
        try:
            _write(temporary, good, bad)
        except (TypeError, ValueError) as error:
            raise StageError("an item cannot be stored", where=shard.label, why=str(error)) from error
        publish_folder(temporary, target)
    return len(shard.items)


def _checked(item: object) -> Item:
    if not isinstance(item, Item):
        raise TypeError(f"the function must return an Item, not {type(item).__name__}")
    return item


def _write(folder: Path, good: dict[str, Item], bad: dict[str, str]) -> None:
    write_shard(folder, "shard", good)
    (folder / "ids.json").write_text(json_line({"done": sorted(good), "errors": bad}), encoding="utf-8")


def run_map(
    function: MapFunction,
    shards: Sequence[Shard],
    common: Any,
    folder: Path,
    *,
    jobs: int,
    make_executor: Callable[[], Executor],
    advance: Callable[[int], None],
    log: logging.Logger,
) -> None:
    """Fill `folder` with one sub-folder per shard, skipping those that an earlier run finished."""
    if "<locals>" in getattr(function, "__qualname__", "") or getattr(function, "__name__", "") == "<lambda>":
        raise TypeError(f"{function!r} cannot be sent to a worker: define it at the top of a module")
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".*.tmp"):
        remove(leftover)
    todo = [shard for shard in shards if not _finished(shard, folder)]
    finished = sum(len(shard.items) for shard in shards) - sum(len(shard.items) for shard in todo)
    if finished:
        log.info("%d items were finished by an earlier run", finished)
        advance(finished)
    if jobs == 1:
        for shard in todo:
            with one_thread_here():
                run_shard(function, shard, common, folder / shard_name(shard.index), lambda: advance(1))
    else:
        tasks = [Task(shard.label, (function, shard, common, folder / shard_name(shard.index))) for shard in todo]
        run_tasks(run_shard, tasks, make_executor, jobs, advance, log)


def _outcome(shard: Shard, folder: Path) -> tuple[list[str], dict[str, str]] | None:
    """The ids done and the errors of a published shard; None if it is not published or holds other items."""
    try:
        raw = json.loads((folder / shard_name(shard.index) / "ids.json").read_text(encoding="utf-8"))
        done, errors = list(raw["done"]), dict(raw["errors"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (done, errors) if sorted([*done, *errors]) == shard.ids else None


def _finished(shard: Shard, folder: Path) -> bool:
    return _outcome(shard, folder) is not None


def collect(shards: Sequence[Shard], folder: Path, out: Path) -> MapReport:
    """Put the shards together as an item store in `out`. Raises StageError if an item went missing."""
    index: dict[str, list[str]] = {}
    errors: dict[str, str] = {}
    for shard in shards:
        outcome = _outcome(shard, folder)
        if outcome is None:
            raise StageError("items went missing", where=shard.label)
        done, failed = outcome
        errors.update(failed)
        if done:
            index[shard_name(shard.index)] = done
            for suffix in (".safetensors", ".jsonl"):
                _link(folder / shard_name(shard.index) / f"shard{suffix}", out / f"{shard_name(shard.index)}{suffix}")
    with resource_errors(out):
        write_index(out, index, errors)
    n_items, n_done = sum(len(shard.items) for shard in shards), sum(len(ids) for ids in index.values())
    if n_items != n_done + len(errors) or len(items_format.ItemStore(out)) != n_done:
        raise StageError(f"{n_items} items went in, {n_done} + {len(errors)} came out", where=str(out))
    return MapReport(n_items, n_done, tuple(ItemError(item_id, errors[item_id]) for item_id in sorted(errors)))


def _link(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no hard links."""
    with resource_errors(target):
        try:
            os.link(source, target)
        except FileExistsError:
            raise
        except OSError:
            shutil.copy2(source, target)


def refuse_errors(report: MapReport, max_errors: int, shards: Sequence[Shard], folder: Path, report_path: Path) -> None:
    """StageError if more than `max_errors` items failed; their shards are tried again by the next run."""
    if len(report.errors) <= max_errors:
        return
    for shard in shards:
        outcome = _outcome(shard, folder)
        if outcome is not None and outcome[1]:
            remove(folder / shard_name(shard.index))
    lines = [json_line({"error": error.message, "id": error.id}) for error in report.errors]
    with resource_errors(report_path):
        report_path.write_text("".join(lines), encoding="utf-8")
    shown = "; ".join(f"{error.id}: {error.message}" for error in report.errors[:_SHOWN_ERRORS])
    more = len(report.errors) - _SHOWN_ERRORS
    raise StageError(
        f"{len(report.errors)} of {report.n_items} items failed, {max_errors} are allowed",
        why=shown + (f"; and {more} more" if more > 0 else ""),
        todo=f"All of them: {report_path}",
    )
