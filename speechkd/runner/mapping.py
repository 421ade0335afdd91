"""One function over many items: shards by item id, published one by one, the same bytes for any number of workers."""

from __future__ import annotations

import functools
import itertools
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from speechkd.errors import DataError, SpeechkdError, StageError
from speechkd.runner import items as items_format
from speechkd.runner.executors import Workers
from speechkd.runner.items import Item, json_line, shard_name, shard_size, write_index, write_shard
from speechkd.runner.pool import Task, one_thread_here, run_tasks
from speechkd.runner.publish import as_resource_error, link_file, publish_folder, remove, resource_errors
from speechkd.runner.remote import Outcome, Site, run_at_site
from speechkd.runner.report import Bar

MapFunction = Callable[[str, Any, Any], Item]
_SHOWN_ERRORS = 5
PATIENCE_S = 60.0


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


def cut(items: Iterable[tuple[str, Any]], size: int | None = None) -> list[Shard]:
    """Shards of `size` items, sorted by id. Raises StageError for an id that occurs twice or is not text."""
    pairs = list(items)
    for item_id, _ in pairs:
        if not isinstance(item_id, str) or not item_id:
            raise StageError(f"{item_id!r} is not an item id", why="ids are text")
    pairs.sort(key=lambda pair: pair[0])
    for first, second in itertools.pairwise(pairs):
        if first[0] == second[0]:
            raise StageError("an item id occurs twice", where=first[0])
    size = size or shard_size(len(pairs))
    return [Shard(i, tuple(pairs[start : start + size])) for i, start in enumerate(range(0, len(pairs), size))]


@dataclass(frozen=True)
class Work:
    """What a worker is told besides its shards: the function, what all items share, and where shards are published."""

    function: MapFunction
    common: Any
    folder: Path


@dataclass(frozen=True)
class Worked:
    """What a worker reports: the number of items, and the labels of shards that another worker had begun."""

    n_items: int
    begun_before: tuple[str, ...]


def run_shards(work: Work, shards: Sequence[Shard], on_item: Callable[[], None] | None = None) -> Worked:
    """Work through shards, except those that are published already. Runs in the worker."""
    begun_before = []
    for shard in shards:
        if not _finished(shard, work.folder) and run_shard(work, shard, on_item):
            begun_before.append(shard.label)
    return Worked(sum(len(shard.items) for shard in shards), tuple(begun_before))


def run_shard(work: Work, shard: Shard, on_item: Callable[[], None] | None = None) -> bool:
    """Work through a shard and publish its folder; returns whether another worker had begun it and died."""
    name = shard_name(shard.index)
    target = work.folder / name
    with resource_errors(target):
        left = list(work.folder.glob(f".{name}.*.tmp"))
        for each in left:
            remove(each)
        # Other machines have processes of the same number. The folder above is never made: it ends with its stage.
        temporary = work.folder / f".{name}.{uuid4().hex}.tmp"
        temporary.mkdir()
    try:
        good, bad = _results(work, shard, on_item)
        with resource_errors(target):
            _write(temporary, good, bad, shard.label)
            publish_folder(temporary, target)
    except BaseException:  # what is left behind is the sign of a worker that died
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return bool(left)


def _results(work: Work, shard: Shard, on_item: Callable[[], None] | None) -> tuple[dict[str, Item], dict[str, str]]:
    """The items of a shard, and the messages of those that failed."""
    good: dict[str, Item] = {}
    bad: dict[str, str] = {}
    for item_id, value in shard.items:
        try:
            good[item_id] = _checked(work.function(item_id, value, work.common))
        except DataError as error:
            bad[item_id] = str(error)
        except SpeechkdError:
            raise
        except Exception as error:
            resource = as_resource_error(error, work.folder) if isinstance(error, OSError) else None
            why = f"{type(error).__name__}: {error}"
            raise resource or StageError("the item failed", where=item_id, why=why) from error
        if on_item is not None:
            on_item()
    return good, bad


def _checked(item: object) -> Item:
    if not isinstance(item, Item):
        raise TypeError(f"the function must return an Item, not {type(item).__name__}")
    return item


def _write(folder: Path, good: dict[str, Item], bad: dict[str, str], label: str) -> None:
    try:
        write_shard(folder, "shard", good)
    except (TypeError, ValueError) as error:
        raise StageError("an item cannot be stored", where=label, why=str(error)) from error
    (folder / "ids.json").write_text(json_line({"done": sorted(good), "errors": bad}), encoding="utf-8")


def run_map(work: Work, shards: Sequence[Shard], workers: Workers, bar: Bar, log: logging.Logger) -> None:
    """Fill `work.folder` with one sub-folder per shard, skipping those that an earlier run finished."""
    function = work.function
    if "<locals>" in getattr(function, "__qualname__", "") or getattr(function, "__name__", "") == "<lambda>":
        raise TypeError(f"{function!r} cannot be sent to a worker: define it at the top of a module")
    work.folder.mkdir(parents=True, exist_ok=True)
    for leftover in (*work.folder.glob(".*.tmp"), *work.folder.glob(".site-*")):
        remove(leftover)
    # Only what is there is opened: a network file system remembers for a while that a name is not there.
    there = set(os.listdir(work.folder))
    todo = [shard for shard in shards if shard_name(shard.index) not in there or not _finished(shard, work.folder)]
    finished = sum(len(shard.items) for shard in shards) - sum(len(shard.items) for shard in todo)
    if finished:
        log.info("%d items were finished by an earlier run", finished)
        bar.resume_at(finished)
    if workers.inline:
        for shard in todo:
            with one_thread_here():
                run_shard(work, shard, lambda: bar.advance(1))
    elif todo:
        _hand_out(work, todo, workers, bar, log)


def _hand_out(work: Work, shards: Sequence[Shard], workers: Workers, bar: Bar, log: logging.Logger) -> None:
    """Give the shards to workers, and wait until all are published."""
    groups = [(shard,) for shard in shards] if workers.n_groups is None else _grouped(shards, workers.n_groups)
    arguments = (run_at_site, (Site.mark(work.folder), run_shards)) if workers.remote else (run_shards, ())
    function, before = arguments
    tasks = (Task(_label(group), (*before, work, group)) for group in groups)
    counter = _Counter(shards, work.folder, bar.advance) if workers.n_groups is not None else None

    def done(result: Worked | Outcome) -> None:
        worked = result.get() if isinstance(result, Outcome) else result
        if counter is not None:
            counter.look()
        else:
            bar.advance(worked.n_items)
        if workers.remote:
            for label in worked.begun_before:
                log.warning("a worker died while it worked on %s: another one has done it", label)

    make = functools.partial(workers.make, work.folder.with_name(f"{work.folder.name}.jobs"))
    run_tasks(function, tasks, make, workers.in_flight, done, log, counter.look if counter else lambda: None)
    if workers.remote:
        _await_shards(shards, work.folder)


def _grouped(shards: Sequence[Shard], n_groups: int) -> list[tuple[Shard, ...]]:
    """Neighbouring shards together, in at most `n_groups` groups of nearly the same size."""
    bounds = [len(shards) * i // n_groups for i in range(n_groups + 1)]
    return [tuple(shards[start:end]) for start, end in itertools.pairwise(bounds) if end > start]


def _label(group: Sequence[Shard]) -> str:
    if len(group) == 1:
        return group[0].label
    first, last = group[0], group[-1]
    return f"shards {first.index} to {last.index} ({first.items[0][0]} … {last.items[-1][0]})"


class _Counter:
    """Tells a bar about shards that lie finished in a folder, where a task is many of them."""

    def __init__(self, shards: Sequence[Shard], folder: Path, advance: Callable[[int], None]) -> None:
        self._left = {shard_name(shard.index): len(shard.items) for shard in shards}
        self._folder, self._advance = folder, advance

    def look(self) -> None:
        """Count what is new."""
        for name in os.listdir(self._folder):
            number = self._left.pop(name, 0)
            if number:
                self._advance(number)


def _await_shards(shards: Sequence[Shard], folder: Path, patience_s: float = PATIENCE_S) -> None:
    """Wait until this machine sees what the workers have published: network file systems are late at times."""
    deadline = time.monotonic() + patience_s
    missing = list(shards)
    while missing and time.monotonic() < deadline:
        there = set(os.listdir(folder))
        missing = [shard for shard in missing if shard_name(shard.index) not in there or not _finished(shard, folder)]
        if missing:
            time.sleep(0.2)


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
        _, failed = outcome
        errors.update(failed)
        if done := [item_id for item_id in shard.ids if item_id not in failed]:
            index[shard_name(shard.index)] = done
            for suffix in (".safetensors", ".jsonl"):
                link_file(
                    folder / shard_name(shard.index) / f"shard{suffix}", out / f"{shard_name(shard.index)}{suffix}"
                )
    with resource_errors(out):
        write_index(out, index, errors)
    n_items, n_done = sum(len(shard.items) for shard in shards), sum(len(ids) for ids in index.values())
    if n_items != n_done + len(errors) or len(items_format.ItemStore(out)) != n_done:
        raise StageError(f"{n_items} items went in, {n_done} + {len(errors)} came out", where=str(out))
    return MapReport(n_items, n_done, tuple(ItemError(item_id, errors[item_id]) for item_id in sorted(errors)))


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
