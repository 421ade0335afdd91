"""Tasks on an executor; a worker that is killed costs one retry, not the run."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_handles
from typing import Any, Protocol

from speechkd.errors import StageError

# Results must not depend on how many threads share a sum.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Executor(Protocol):
    """What runs tasks: concurrent.futures' interface, as dask.distributed and submitit also have it."""

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Start a task."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop the workers."""


@dataclass(frozen=True)
class Task:
    """One call; `label` names it in messages."""

    label: str
    args: tuple[Any, ...]


def local_executor(jobs: int) -> Executor:
    """A process pool on this machine; nothing of this process's state is inherited."""
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=start_worker)


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes started inside never get Ctrl-C, which is the runner's business; this process gets it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_worker() -> None:
    """Prepare a worker: it must not outlive its runner."""
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


def run_tasks(
    function: Callable[..., Any],
    tasks: Sequence[Task],
    make_executor: Callable[[], Executor],
    jobs: int,
    done: Callable[[Any], None],
    log: logging.Logger,
) -> None:
    """Run `function(*task.args)` for every task, at most `jobs` at a time; `done(result)` is called as they finish.

    Raises what a task raises. Raises StageError if the worker of a task is killed twice.
    """
    waiting = deque(tasks)
    while waiting:
        suspects = _run_until_broken(function, waiting, make_executor, jobs, done)
        for task in suspects:  # alone, so that the guilty one shows
            log.warning("a worker died while it worked on %s: trying once more", task.label)
            if _run_until_broken(function, deque([task]), make_executor, 1, done):
                raise StageError(
                    f"the worker died twice on {task.label}",
                    why="most often the machine runs out of memory",
                    todo="Try a smaller --jobs",
                )


def _run_until_broken(
    function: Callable[..., Any],
    waiting: deque[Task],
    make_executor: Callable[[], Executor],
    jobs: int,
    done: Callable[[Any], None],
) -> list[Task]:
    """Work through `waiting`; if a worker dies, stop and return the tasks that were being worked on."""
    with _workers(make_executor) as executor:
        running: dict[Future[Any], Task] = {}
        while waiting or running:
            while waiting and len(running) < jobs:
                try:
                    with one_thread_environment(), _interrupts_held_back():
                        running[executor.submit(function, *waiting[0].args)] = waiting[0]
                except BrokenExecutor:
                    break
                waiting.popleft()
            if not running:
                return [waiting.popleft()]
            broken = False
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                if isinstance(future.exception(), BrokenExecutor):
                    broken = True
                else:
                    running.pop(future)
                    done(future.result())
            if broken:
                return list(running.values())
    return []


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
