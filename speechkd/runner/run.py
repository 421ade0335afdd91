"""Runs a recipe: decides, locks, executes, publishes, records."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechkd.config import dump_config
from speechkd.errors import ResourceError, SpeechkdError, StageError, UsageError
from speechkd.runner.base import Base, BaseChangedError, Offer, forecast, open_base
from speechkd.runner.context import Context, new_scratch
from speechkd.runner.digests import artifact_digest, hash_files
from speechkd.runner.executors import ExecutorChoice, Workers, check_executor, open_workers
from speechkd.runner.lock import run_lock
from speechkd.runner.pool import own_threads_inside, warm_up
from speechkd.runner.publish import as_resource_error, fresh_folder, publish_folder, remove, resource_errors, write_file
from speechkd.runner.records import Marker, OutputRecord, Plan, Record
from speechkd.runner.report import Reporter
from speechkd.runner.slices import get_path, make_slice
from speechkd.runner.stage import Recipe, Stage
from speechkd.runner.status import StageStatus, Survey, external_name

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class RunOptions:
    """Which stages to run and how. Stages are given by number or name.

    `force` reruns fresh ones; `verify` re-hashes every file of what is published; `dry_run` only says what would run.
    `executor`: `local`, `dask:ADDRESS`, `slurm[:key=value,…]`, or a function that makes something with the `submit` of
    concurrent.futures; `jobs`: the processes of `local`, the jobs of `slurm` (a dask cluster uses all its workers).
    """

    stage: str | None = None
    stop_stage: str | None = None
    only: str | None = None
    force: bool = False
    dry_run: bool = False
    verify: bool = False
    jobs: int = 1
    executor: ExecutorChoice = "local"


class Terminated(KeyboardInterrupt):
    """SIGTERM: handled like Ctrl-C, so that a stage can save its state."""


def list_stages(recipe: Recipe, cfg: Any, verify: bool = False) -> list[StageStatus]:
    """The state of every stage, with the reason."""
    return Survey(recipe, cfg, verify).look_at_all()


def run_recipe(recipe: Recipe, cfg: Any, options: RunOptions | None = None, console: Console | None = None) -> None:
    """Bring the selected stages up to date.

    Raises UsageError for a wrong selection, ResourceError if the folder is in use or the machine lacks something,
    StageError (or the stage's own SpeechkdError) if a stage fails. What was published before stays.
    """
    options = options or RunOptions()
    reporter = Reporter(console)
    selected = _select(recipe, options)
    survey = Survey(recipe, cfg, options.verify)
    survey.look_at_all()
    _refuse_stale_inputs(recipe, selected, survey)
    base = open_base(survey)
    if base is not None and base.problem and _work_left(selected, survey):
        reporter.line(f"nothing is taken over from {base.path}: {base.problem}")
    if options.dry_run or not (options.force or _work_left(selected, survey)):
        _announce_all(selected, survey, options, reporter, base)
        return
    with contextlib.ExitStack() as stack:
        _make_run_dir(survey.folder.path)
        stack.enter_context(run_lock(survey.folder.path))
        stack.enter_context(_terminable())
        _sweep(survey.folder.path)
        _store_config(survey.folder.path, cfg)
        if options.executor == "local" and options.jobs > 1:
            to_run = [each for each in selected if options.force or not survey.statuses[each.name].fresh]
            warm_up(list(dict.fromkeys(module for each in to_run for module in each.imports)))
        log = logging.getLogger("speechkd.runner")
        workers = stack.enter_context(open_workers(options.executor, options.jobs, log))
        for stage in selected:
            _bring_up_to_date(survey, stage, options, reporter, workers, base)


def _make_run_dir(path: Path) -> None:
    with resource_errors(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
            why = "a file is in the way" if not isinstance(error, FileNotFoundError) else str(error.strerror)
            todo = "Choose another folder: --set run.dir=FOLDER"
            raise ResourceError("the run folder cannot be made", where=str(path), why=why, todo=todo) from error


def _select(recipe: Recipe, options: RunOptions) -> list[Stage]:
    """The stages that the options name, in order."""
    check_executor(options.executor)
    if options.jobs < 1:
        raise UsageError("--jobs must be at least 1")
    if options.only is not None:
        if options.stage is not None or options.stop_stage is not None:
            raise UsageError("--only cannot be combined with --stage or --stop-stage")
        return [recipe.find(options.only)]
    first = recipe.number(recipe.find(options.stage)) if options.stage is not None else 1
    last = recipe.number(recipe.find(options.stop_stage)) if options.stop_stage is not None else len(recipe.stages)
    if first > last:
        raise UsageError(f"--stage {options.stage} comes after --stop-stage {options.stop_stage}")
    return list(recipe.stages[first - 1 : last])


def _refuse_stale_inputs(recipe: Recipe, selected: list[Stage], survey: Survey) -> None:
    """Earlier stages that the selected ones build on, and that are not among them, must be fresh."""
    needed: dict[str, Stage] = {}
    todo = list(selected)
    while todo:
        for artifact in todo.pop().inputs:
            producer = recipe.producer(artifact)
            if producer.name not in needed:
                needed[producer.name] = producer
                todo.append(producer)
    chosen = {stage.name for stage in selected}
    stale = [stage for stage in recipe.stages if stage.name in needed and stage.name not in chosen]
    lines = [
        f"{recipe.number(stage)} {stage.name}: {survey.statuses[stage.name].text}"
        for stage in stale
        if not survey.statuses[stage.name].fresh
    ]
    if lines:
        raise UsageError(
            f"earlier stages are not up to date ({'; '.join(lines)})", todo="Run them first, without --stage or --only"
        )


def _work_left(selected: list[Stage], survey: Survey) -> bool:
    """Whether a stage must run, or a finished one left something behind when it was killed."""
    return any(not survey.statuses[stage.name].fresh or survey.folder.work(stage.name).exists() for stage in selected)


def _announce(status: StageStatus, force: bool, dry_run: bool = False) -> str:
    why = "forced" if status.fresh and force else status.text
    verb = "" if status.fresh and not force else (", would run" if dry_run else ", running")
    return f"stage {status.number} {status.name}: {why}{verb}"


def _announce_all(
    selected: list[Stage], survey: Survey, options: RunOptions, reporter: Reporter, base: Base | None
) -> None:
    """The state of each stage, and what would be done about it."""
    offers = forecast(base, survey) if base is not None and not options.force else {}
    for stage in selected:
        status, offer = survey.statuses[stage.name], offers.get(stage.name, Offer())
        if base is not None and offer.record is not None:
            reporter.line(f"stage {status.number} {status.name}: {status.text}, would be taken over from {base.path}")
        else:
            reporter.line(_announce(status, options.force, options.dry_run))


def _sweep(run_dir: Path) -> None:
    """Delete the half-written small files of a run that was killed."""
    for pattern in (".config.yaml.*.tmp", ".records/.*.tmp"):
        for leftover in run_dir.glob(pattern):
            remove(leftover)


def _store_config(run_dir: Path, cfg: Any) -> None:
    """Keep the resolved configuration with the run."""
    path, text = run_dir / "config.yaml", dump_config(cfg).encode("utf-8", "surrogateescape")
    if not path.is_file() or path.read_bytes() != text:
        write_file(path, text)


def _bring_up_to_date(
    survey: Survey, stage: Stage, options: RunOptions, reporter: Reporter, workers: Workers, base: Base | None
) -> None:
    status = survey.look_at(stage)
    if status.fresh and not options.force:
        reporter.line(_announce(status, options.force))
        if survey.folder.work(stage.name).exists():
            remove(survey.folder.work(stage.name))
        return
    started = time.monotonic()
    execution = _Execution(survey, stage, options, reporter, workers)
    if options.force or base is None or not execution.take_over(base):
        reporter.line(_announce(status, options.force))
        execution.run()
        reporter.line(f"{execution.label}: done in {time.monotonic() - started:.1f} s")
    survey.forget(stage)
    survey.look_at(stage)


class _Execution:
    """One stage, from its marker to its record."""

    def __init__(self, survey: Survey, stage: Stage, options: RunOptions, reporter: Reporter, workers: Workers) -> None:
        self.survey, self.stage, self.options, self.reporter = survey, stage, options, reporter
        self.workers = workers
        self.folder = survey.folder
        self.plan: Plan = survey.plan(stage)
        self.number = survey.recipe.number(stage)
        self.log_path = self.folder.log(self.number, stage.name)
        self.started = time.monotonic()
        self.earlier_s = self._earlier_s()

    def _earlier_s(self) -> float:
        """How long interrupted attempts have worked that this one goes on from."""
        marker = self.folder.read_marker(self.stage.name)
        same = marker is not None and marker.fingerprint == self.plan.fingerprint and not self.options.force
        return marker.seconds if marker is not None and same else 0.0

    def _seconds(self) -> float:
        return round(self.earlier_s + time.monotonic() - self.started, 3)

    @property
    def label(self) -> str:
        """How lines about the stage begin."""
        return f"stage {self.number} {self.stage.name}"

    def take_over(self, base: Base) -> bool:
        """Publish what the base has of this stage as its own; else False, after a line with the reason."""
        offer = base.offer(self.stage, self.plan)
        reason = offer.reason if offer.record is None else self._link(base, offer.record)
        if offer.record is None and not reason:
            return False
        self.reporter.line(
            f"{self.label}: {'not ' if reason else ''}taken over from {base.path}{': ' if reason else ''}{reason}"
        )
        return not reason

    def _link(self, base: Base, record: Record) -> str:
        """Link and publish; returns why not, if the base changes meanwhile."""
        with self._guarded() as (work, log):
            try:
                outputs = base.link(record, work / "out")
            except BaseChangedError as error:
                return f"{error} meanwhile"
            self._publish(work, outputs, record.seconds)
            log.info("taken over from %s", base.path, extra={"file_only": True})
        return ""

    def run(self) -> None:
        """Execute and publish; on failure leave a marker that says why."""
        with self._guarded() as (work, log):
            scratch = new_scratch(self.folder, self.stage, self.plan.fingerprint, keep=not self.options.force)
            jobs, number = self.options.jobs, self.number
            context = Context(self.stage, number, self.folder, scratch, jobs, self.reporter, self.workers)
            with own_threads_inside():
                self.stage(make_slice(self.survey.cfg, self.stage), context)
            self._publish(work, self._outputs(context), self._seconds())
            log.info("done", extra={"file_only": True})

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[tuple[Path, logging.Logger]]:
        """The work folder with an empty `out`, and the log. What fails inside leaves a marker that says why."""
        log = logging.getLogger(f"speechkd.stage.{self.stage.name}")
        work = self.folder.work(self.stage.name)
        with resource_errors(work):
            work.mkdir(parents=True, exist_ok=True)
        with resource_errors(self.log_path), self.reporter.logging_to(self.log_path):
            log.info("started", extra={"file_only": True})
            try:
                marker = Marker("running", self.plan.fingerprint, seconds=self.earlier_s)
                self.folder.write_marker(self.stage.name, marker)
                fresh_folder(work / "out")
                remove(work / "old")
                yield work, log
            except KeyboardInterrupt:
                log.warning("interrupted")
                self._mark("interrupted")
                raise
            except BaseException as error:
                log.error("failed", exc_info=error, extra={"file_only": True})
                shown = self._explain(error)
                self._mark("failed", str(shown))
                if shown is error:
                    raise
                raise shown from error

    def _mark(self, state: str, message: str = "") -> None:
        one_line = " ".join(message.splitlines())
        self.folder.try_marker(self.stage.name, Marker(state, self.plan.fingerprint, one_line, self._seconds()))

    def _explain(self, error: BaseException) -> SpeechkdError:
        """The error that a person sees for whatever a stage raised."""
        if isinstance(error, SpeechkdError):
            return error
        resource = as_resource_error(error, self.folder.path) if isinstance(error, OSError) else None
        if resource is not None:
            return resource
        if isinstance(error, MemoryError):
            return ResourceError("out of memory", where=f"stage {self.stage.name}", why=str(error) or None)
        return StageError(
            f"stage {self.number} {self.stage.name} failed",
            why=f"{type(error).__name__}: {error}",
            todo=f"The traceback is in {self.log_path}",
        )

    def _outputs(self, context: Context) -> dict[str, OutputRecord]:
        """What the stage has written."""
        outputs: dict[str, OutputRecord] = {}
        for output in self.stage.outputs:
            path = context.output_path(output.name)
            if not path.is_dir():
                raise StageError(f"stage {self.stage.name} did not write its output {output.name}")
            files = hash_files(path)
            outputs[output.name] = OutputRecord(artifact_digest(files), output.volatile, files)
        return outputs

    def _publish(self, work: Path, outputs: dict[str, OutputRecord], seconds: float) -> None:
        """Old record away, artifacts in, new record last."""
        self.folder.record_path(self.stage.name).parent.mkdir(exist_ok=True)
        remove(self.folder.record_path(self.stage.name))
        (work / "old").mkdir()
        for name in outputs:
            publish_folder(work / "out" / name, self.folder.artifact(name), work / "old" / name)
        paths = {path: external_name(get_path(self.survey.cfg, path)) for path in self.stage.external}
        record = Record(self.plan, paths, outputs, seconds, self.stage.function_name)
        self.folder.write_record(self.stage.name, record)
        remove(work)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """While inside, the first SIGTERM raises Terminated; later ones must not disturb the saving."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
