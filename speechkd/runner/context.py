"""What a stage gets besides its slice of the configuration."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speechkd.errors import StageError
from speechkd.runner.executors import Workers, local_workers
from speechkd.runner.items import ItemStore, ItemWriter, open_store, shard_size
from speechkd.runner.mapping import MapFunction, MapReport, Shard, Work, collect, cut, refuse_errors, run_map
from speechkd.runner.publish import fresh_folder
from speechkd.runner.records import Record, RunFolder
from speechkd.runner.report import Bar, Reporter
from speechkd.runner.stage import Stage


@dataclass
class Context:
    """The handles of a running stage.

    `scratch`: a folder kept until the stage has published, also across kills, as long as nothing it depends on
    changes. `jobs`: how many processes or threads may run on this machine;
    `workers`: where `map` works. `log`: lines for the console and the stage's log file.
    """

    stage: Stage
    number: int
    folder: RunFolder
    scratch: Path
    jobs: int
    reporter: Reporter
    workers: Workers = field(default_factory=lambda: local_workers(1))
    _filled: set[str] = field(default_factory=set)

    @property
    def log(self) -> logging.Logger:
        """The logger of this stage."""
        return logging.getLogger(f"speechkd.stage.{self.stage.name}")

    def input(self, name: str) -> Path:
        """The folder of a declared input; do not write there."""
        if name not in self.stage.inputs:
            raise StageError(f"stage {self.stage.name} reads {name}, which is not among its inputs")
        return self.folder.artifact(name)

    def store(self, name: str) -> ItemStore:
        """A declared input as an item store. It may be part of `common` in `map`: workers open it themselves."""
        return open_store(self.input(name))

    def output(self, name: str) -> Path:
        """The folder to fill for a declared output; it is published when the stage returns."""
        if name not in [output.name for output in self.stage.outputs]:
            raise StageError(f"stage {self.stage.name} writes {name}, which is not among its outputs")
        path = self.output_path(name)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def output_path(self, name: str) -> Path:
        """Where an output lies before it is published."""
        return self.folder.work(self.stage.name) / "out" / name

    def record(self, stage: str) -> Record:
        """What was recorded when an earlier stage was published: its seconds, the digests of its artifacts."""
        record = self.folder.read_record(stage)
        if record is None:
            raise StageError(f"stage {self.stage.name} asks for the record of {stage}, which has none")
        return record

    def writer(self, name: str, n_items: int | None = None) -> ItemWriter:
        """A writer of items into a declared output; use it in a `with` block.

        With the number of items to come they must be added in the order of their ids, and are not held.
        """
        if n_items is None:
            return ItemWriter(self.output(name))
        return ItemWriter(self.output(name), shard_size(n_items), in_order=True)

    def progress(self, total: int | None, label: str = "") -> contextlib.AbstractContextManager[Bar]:
        """A progress bar with the time left: `with ctx.progress(n, "…") as bar: bar.advance()`."""
        return self.reporter.bar(total, label or self.stage.name)

    def map(
        self,
        function: MapFunction,
        items: Iterable[tuple[str, Any]],
        out: str,
        common: Any = None,
        max_errors: int = 0,
    ) -> MapReport:
        """`function(id, item, common) -> Item` for every (id, item), stored as an item store in the output `out`.

        The function stands at the top of a module; it runs where `workers` says. All items are held at once: give
        what is large by a store in `common`, from which the function takes its item's part. A DataError fails that item
        alone and goes into the report; the stage fails if there are more than `max_errors`. Finished shards are
        kept when the run is killed. Extra files may be added to the output's folder afterwards.
        """
        target = self.output(out)
        if out in self._filled:
            raise StageError(f"stage {self.stage.name} fills the output {out} twice")
        self._filled.add(out)
        shards = cut(items)
        folder = self._run_map(function, shards, common, out)
        report_path = self.folder.log(self.number, self.stage.name).with_suffix(".errors.jsonl")
        report = collect(shards, folder, target)
        refuse_errors(report, max_errors, shards, folder, report_path)
        self.log.info("%s: %d of %d items, %d failed", out, report.n_done, report.n_items, len(report.errors))
        return report

    def gather(
        self, function: MapFunction, items: Iterable[tuple[str, Any]], label: str, common: Any = None
    ) -> ItemStore:
        """Like `map`, for what only the stage itself needs: a store that is not published. No item may fail.

        Each item is a task of its own: make them few and large.
        """
        shards = cut(items, 1)
        folder = self._run_map(function, shards, common, label)
        target = fresh_folder(self.scratch / "gathered" / label)
        report_path = self.folder.log(self.number, self.stage.name).with_suffix(".errors.jsonl")
        refuse_errors(collect(shards, folder, target), 0, shards, folder, report_path)
        return ItemStore(target)

    def _run_map(self, function: MapFunction, shards: list[Shard], common: Any, name: str) -> Path:
        folder = self.scratch / "map" / name
        n_items = sum(len(shard.items) for shard in shards)
        with self.progress(n_items, f"{self.stage.name} {name}") as bar:
            run_map(Work(function, common, folder), shards, self.workers, bar, self.log)
        return folder


def new_scratch(folder: RunFolder, stage: Stage, fingerprint: str, keep: bool) -> Path:
    """The scratch folder for a fingerprint; what other fingerprints left is deleted, and all if not `keep`."""
    parent = folder.work(stage.name) / "scratch"
    own = parent / fingerprint[:16]
    if not keep or not own.is_dir():
        fresh_folder(parent)
    for other in parent.iterdir():
        if other != own:
            fresh_folder(other).rmdir()
    own.mkdir(exist_ok=True)
    return own
