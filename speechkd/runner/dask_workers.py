"""Workers of a running dask cluster (`dask scheduler`, `dask worker ADDRESS --nthreads 1 --nworkers N`).

A worker that dies is replaced by its nanny and its task goes to another one, as dask does for all tasks; one that
kills every worker it meets is given up by dask (distributed.scheduler.allowed-failures). For safety see `executors`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pkgutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from importlib import metadata
from platform import python_version
from typing import Any
from uuid import uuid4

from speechkd.errors import ResourceError, missing_extra
from speechkd.runner.executors import Workers
from speechkd.runner.pool import WorkerDied
from speechkd.runner.remote import COMPARED, refuse_versions, versions

CONNECT_S = 5
_COUNT_EVERY_S = 5.0
_QUEUED_PER_THREAD = 2


@contextlib.contextmanager
def dask_workers(address: str, log: logging.Logger) -> Iterator[Workers]:
    """A connection to a scheduler. ResourceError if dask is not installed or the scheduler does not answer."""
    client = _connect(address)
    try:
        counter = _ThreadCounter(client, log)
        counter.in_flight()
        yield Workers(lambda folder: _DaskExecutor(client), counter.in_flight, remote=True)
    finally:
        with _quiet():
            client.close(timeout=2)


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise missing_extra("distributed", "cluster", "--executor dask") from error
    try:
        with _quiet():
            return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        why = str(error) or f"no answer within {CONNECT_S} s"
        todo = "Start one with: dask scheduler; then workers with: dask worker ADDRESS --nthreads 1"
        raise ResourceError("cannot reach the dask scheduler", where=address, why=why, todo=todo) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without dask's own lines about a connection that fails or ends: it is reported as one error."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "distributed.comm.tcp")]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)


class _ThreadCounter:
    """How many tasks a cluster can take, asked for now and then: workers come and go. New ones are looked over."""

    def __init__(self, client: Any, log: logging.Logger) -> None:
        self._client, self._log = client, log
        self._asked_s = -_COUNT_EVERY_S
        self._threads: dict[str, int] = {}
        self._known: set[str] = set()
        self._waiting = False

    def in_flight(self) -> int:
        """Two tasks per worker thread, so that none waits for the network."""
        if time.monotonic() - self._asked_s >= _COUNT_EVERY_S:
            try:
                self._threads = dict(self._client.nthreads())
                self._look_over([each for each in self._threads if each not in self._known])
            except (OSError, RuntimeError, TypeError) as error:
                raise _lost(error) from error
            if not self._threads and not self._waiting:
                self._log.warning("the dask cluster has no workers: waiting for them")
            self._waiting = not self._threads
            self._asked_s = time.monotonic()
        return max(1, _QUEUED_PER_THREAD * sum(self._threads.values()))

    def _look_over(self, workers: list[str]) -> None:
        """ResourceError for a worker that lacks the package: reading its first task would be its end, without a word.

        Only functions of Python itself are sent, which every worker knows.
        """
        if not workers:
            return
        answers = self._on(workers, python_version)
        found = {worker: {"python": text.rpartition(".")[0]} for worker, text in answers.items()}
        for name in COMPARED:
            answers = self._on(list(found), metadata.version, name, means_none=metadata.PackageNotFoundError)
            found = {worker: {**found[worker], name: answer or "none"} for worker, answer in answers.items()}
        own_errors = (ImportError, FileNotFoundError)
        for worker, marker in self._on(
            list(found), pkgutil.get_data, "speechkd", "py.typed", means_none=own_errors
        ).items():
            if marker is None:
                todo = "Install it for the workers and start them again"
                raise ResourceError("a dask worker has no speechkd", where=worker, todo=todo)
            refuse_versions(worker, versions(), found[worker])
            self._known.add(worker)
            if self._threads[worker] > 1:
                self._log.warning(
                    "dask worker %s has %d threads, which take turns: start it with --nthreads 1 --nworkers N",
                    worker, self._threads[worker],
                )  # fmt: skip

    def _on(
        self,
        workers: list[str],
        function: Callable[..., Any],
        *args: str,
        means_none: type[Exception] | tuple[type[Exception], ...] = (),
    ) -> dict[str, Any]:
        """What a function gives on each of the workers, None if it raises `means_none` there.

        Workers that end meanwhile give another error or nothing: they are left out, and looked over again later if
        they are still there.
        """
        if not workers:
            return {}
        answers = self._client.run(function, *args, workers=workers, on_error="return")
        answers = {worker: None if isinstance(each, means_none) else each for worker, each in answers.items()}
        return {worker: each for worker, each in answers.items() if not isinstance(each, BaseException)}


def _lost(error: BaseException) -> ResourceError:
    return ResourceError("the dask scheduler was lost", why=str(error), todo="Run again: finished work is kept")


class _DaskExecutor:
    """concurrent.futures' interface over a client that others use, too."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._tasks: dict[Future[Any], Any] = {}

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Start a task under a key of its own: equal calls are not taken for the same."""
        try:
            task = self._client.submit(function, *args, pure=False, key=f"speechkd-{uuid4().hex}")
        except (OSError, RuntimeError) as error:
            raise _lost(error) from error
        future: Future[Any] = Future()
        self._tasks[future] = task
        task.add_done_callback(lambda ended: self._pass_on(ended, future))
        return future

    def _pass_on(self, task: Any, future: Future[Any]) -> None:
        """Give a future what became of its task, in every case: nobody else does, and the run waits for it."""
        self._tasks.pop(future, None)
        try:
            error = task.exception() if task.status in ("finished", "error") else CancelledError()
            value = task.result() if error is None else None
        except OSError as raised:  # a task's own errors are values: it is the connection that broke
            error, value = _lost(raised), None
        except BaseException as raised:  # fetching a result can raise anything; dask's callback thread would swallow it
            error, value = raised, None
        if error is None:
            future.set_result(value)
        elif isinstance(error, CancelledError | asyncio.CancelledError):  # or lost with the scheduler
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_exception(_translated(error))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take back what has not begun; what runs ends by itself."""
        with _quiet(), contextlib.suppress(OSError, RuntimeError):
            self._client.cancel(list(self._tasks.values()), force=True)


def _translated(error: BaseException) -> BaseException:
    """What became of a task that has not returned: its own errors come back as values (`remote.Outcome`)."""
    from distributed.scheduler import KilledWorker

    if isinstance(error, ResourceError):
        return error
    if isinstance(error, KilledWorker):
        return WorkerDied("dask tried it on several workers; most often one runs out of memory", final=True)
    return ResourceError(
        "a dask worker could not run a task",
        why=f"{type(error).__name__}: {error}",
        todo="Install the same speechkd for the workers and start them again",
    )
