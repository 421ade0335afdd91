"""What a stage gets besides its slice of the configuration."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speechkd.errors import StageError
from speechkd.runner.items import ItemStore, ItemWriter
from speechkd.runner.mapping import MapFunction, MapReport, collect, cut, refuse_errors, run_map
from speechkd.runner.pool import local_executor
from speechkd.runner.publish import fresh_folder
from speechkd.runner.records import Record, RunFolder
from speechkd.runner.report import Bar, Reporter
from speechkd.runner.stage import Stage


@dataclass
class Context:
    """The handles of a running stage.

    `scratch`: a folder kept until the stage has published, also across kills, as long as nothing it depends on
    changes. `jobs`: how many workers may run. `log`: lines for the console and the stage's log file.
    """

    stage: Stage
    number: int
    folder: RunFolder
    scratch: Path
    jobs: int
    reporter: Reporter
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
        """A declared input as an item store."""
        return ItemStore(self.input(name))

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

    def writer(self, name: str) -> ItemWriter:
        """A writer of items into a declared output; use it in a `with` block."""
        return ItemWriter(self.output(name))

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

        The function stands at the top of a module; it runs in up to `jobs` processes. A DataError fails that item
        alone and goes into the report; the stage fails if there are more than `max_errors`. Finished shards are
        kept when the run is killed. Extra files may be added to the output's folder afterwards.
        """
        target = self.output(out)
        if out in self._filled:
            raise StageError(f"stage {self.stage.name} fills the output {out} twice")
        self._filled.add(out)
        shards = cut(items)
        folder = self.scratch / "map" / out
        n_items = sum(len(shard.items) for shard in shards)
        with self.progress(n_items, f"{self.stage.name} {out}") as bar:
            run_map(
                function, shards, common, folder, jobs=self.jobs, advance=bar.advance, log=self.log,
                make_executor=functools.partial(local_executor, self.jobs),
            )  # fmt: skip
        report_path = self.folder.log(self.number, self.stage.name).with_suffix(".errors.jsonl")
        report = collect(shards, folder, target)
        refuse_errors(report, max_errors, shards, folder, report_path)
        self.log.info("%s: %d of %d items, %d failed", out, report.n_done, report.n_items, len(report.errors))
        return report


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
