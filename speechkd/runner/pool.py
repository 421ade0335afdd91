"""Tasks on an executor; a worker that is killed costs one retry, not the run."""

from __future__ import annotations

import contextlib
import gc
import itertools
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait as wait_for_handles
from typing import Any, Protocol

from speechkd.errors import ResourceError, StageError

# Results must not depend on how many threads share a sum.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_IDLE_EVERY_S = 5.0


class Executor(Protocol):
    """What runs tasks: `submit` and `shutdown` as concurrent.futures' executors have them.

    `submit` must return a concurrent.futures.Future, since tasks are waited for with concurrent.futures.wait. The
    clients of cluster libraries have futures of their own and fit only behind an adapter, as those of `dask_workers`
    and `slurm_workers`.
    """

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Start a task."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop the workers."""


@dataclass(frozen=True)
class Task:
    """One call; `label` names it in messages."""

    label: str
    args: tuple[Any, ...]


# Elsewhere a process that has loaded numerical libraries cannot be forked safely.
_START = "forkserver" if sys.platform == "linux" else "spawn"


def local_executor(jobs: int) -> Executor:
    """A process pool on this machine; nothing of this process's state is inherited."""
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context(_START), initializer=start_worker)


def warm_up(modules: Sequence[str]) -> None:
    """Begin to load modules for workers to come: in the process that they are forked from, while this one goes on.

    Does nothing where workers are not forked, or if that process runs already.
    """
    if _START != "forkserver":
        return
    multiprocessing.set_forkserver_preload(["speechkd.runner.forked", *modules])
    with one_thread_environment(), _interrupts_held_back():
        forkserver.ensure_running()


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes started inside never get Ctrl-C, which is the runner's business; this process gets it afterwards."""
    # Started first: where it is not running yet, starting it ends with interrupts let through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_worker() -> None:
    """Prepare a worker: it must not outlive its runner."""
    gc.freeze()
    gc.enable()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True).start()


def _exit_with(sentinel: int) -> None:
    wait_for_handles([sentinel])
    os._exit(1)


@contextlib.contextmanager
def one_thread_environment() -> Iterator[None]:
    """Processes started inside use one thread per library."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def one_thread_here() -> Iterator[None]:
    """Libraries use one thread in this process, as they would in a worker; those loaded inside start that way."""
    set_threads(1)
    try:
        with one_thread_environment(), _one_blas_thread():
            yield
    finally:
        set_threads(own_threads())


@contextlib.contextmanager
def own_threads_inside() -> Iterator[None]:
    """Every stage starts with the same number of threads, whatever another stage of this process has set.

    Sums are rounded differently by more threads, so a run that goes on after a kill would differ from one that was
    not killed.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(own_threads()))  # for libraries that are loaded later
    set_threads(own_threads())
    try:
        yield
    finally:
        set_threads(own_threads())


def own_threads() -> int:
    """The number of threads of this process: $OMP_NUM_THREADS, or one per usable core."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_threads(number: int) -> None:
    """Tell torch, if it is loaded."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(number)


def _one_blas_thread() -> contextlib.AbstractContextManager[Any]:
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError:
        return contextlib.nullcontext()
    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(1)
    return limits


class WorkerDied(Exception):
    """The worker of a task ended before the task did. `final`: the executor has already tried it again by itself."""

    def __init__(self, why: str = "", final: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.final = final


def run_tasks(
    function: Callable[..., Any],
    tasks: Iterable[Task],
    make_executor: Callable[[], Executor],
    in_flight: Callable[[], int],
    done: Callable[[Any], None],
    log: logging.Logger,
    idle: Callable[[], None] = lambda: None,
) -> None:
    """Run `function(*task.args)` for every task; `done(result)` is called as they finish, `idle()` every few seconds.

    At most `in_flight()` tasks are handed over at a time; the others are taken from `tasks` when their turn comes.
    Raises what a task raises. Raises StageError if the worker of a task is killed twice.
    """
    queue = _Queue(iter(tasks), log)
    while queue:
        suspects = _run_until_broken(function, queue, make_executor, in_flight, done, idle)
        for task in suspects:  # alone, so that the guilty one shows
            queue.note_death(task)
            alone = _Queue(iter([task]), log)
            if _run_until_broken(function, alone, make_executor, lambda: 1, done, idle):
                raise _died_twice(task)


def _died_twice(task: Task, why: str = "") -> StageError:
    return StageError(
        f"the worker died twice on {task.label}",
        why=why or "most often the machine runs out of memory",
        todo="Try a smaller --jobs",
    )


class _Queue:
    """Tasks that wait for their turn; those whose worker died come first."""

    def __init__(self, tasks: Iterator[Task], log: logging.Logger) -> None:
        self._tasks, self._log = tasks, log
        self._again: deque[Task] = deque()
        self._deaths: set[str] = set()

    def __bool__(self) -> bool:
        if not self._again:
            self._again.extend(itertools.islice(self._tasks, 1))
        return bool(self._again)

    def take(self) -> Task:
        """The next task."""
        return self._again.popleft() if self else next(self._tasks)

    def put_back(self, task: Task) -> None:
        """It could not be handed over."""
        self._again.appendleft(task)

    def note_death(self, task: Task, error: WorkerDied | None = None) -> None:
        """Say that a task is tried once more; StageError if it was tried before."""
        if task.label in self._deaths or (error is not None and error.final):
            raise _died_twice(task, error.why if error else "")
        self._deaths.add(task.label)
        self._log.warning("a worker died while it worked on %s: trying once more", task.label)


def _run_until_broken(
    function: Callable[..., Any],
    queue: _Queue,
    make_executor: Callable[[], Executor],
    in_flight: Callable[[], int],
    done: Callable[[Any], None],
    idle: Callable[[], None],
) -> list[Task]:
    """Work through the queue; if the executor breaks, stop and return the tasks that were being worked on."""
    with _workers(make_executor) as executor:
        running: dict[Future[Any], Task] = {}
        while queue or running:
            while len(running) < in_flight() and queue:
                task = queue.take()
                try:
                    with one_thread_environment(), _interrupts_held_back():
                        running[executor.submit(function, *task.args)] = task
                except BrokenExecutor:
                    queue.put_back(task)
                    break
            if not running:
                return [queue.take()]
            if _settle(running, queue, done, idle):
                return list(running.values())
    return []


def _settle(
    running: dict[Future[Any], Task], queue: _Queue, done: Callable[[Any], None], idle: Callable[[], None]
) -> bool:
    """Wait until a task ends and take its result; returns whether the executor is broken."""
    finished = wait(running, _IDLE_EVERY_S, return_when=FIRST_COMPLETED).done
    if not finished:
        idle()
    broken = False
    for future in finished:
        error = None if future.cancelled() else future.exception()
        if isinstance(error, BrokenExecutor):
            broken = True
            continue
        task = running.pop(future)
        if future.cancelled():
            raise ResourceError(
                "a task was cancelled", where=task.label, why="the scheduler was lost, or somebody cancelled it there",
                todo="Run again: finished work is kept",
            )  # fmt: skip
        if isinstance(error, WorkerDied):
            queue.note_death(task, error)
            queue.put_back(task)
        else:
            done(future.result())
    return broken


@contextlib.contextmanager
def _workers(make_executor: Callable[[], Executor]) -> Iterator[Executor]:
    """An executor; if the block fails, running tasks are not waited for."""
    before = set(multiprocessing.active_children())
    executor = make_executor()
    try:
        yield executor
    except BaseException:
        # Workers first: then the executor's own threads see a broken pool and end by themselves.
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        executor.shutdown(wait=True, cancel_futures=True)
        raise
    executor.shutdown(wait=True)
