"""Jobs of a Slurm cluster, through submitit: each job works through a run of shards and ends.

`slurm:partition=cpu,timeout_min=120,mem_gb=4` gives the parameters of submitit (those of Slurm alone without their
prefix `slurm_`); `slurm:cluster=local` starts the jobs as processes of this machine, for trying out. submitit keeps
what it sends in files of the run's own `.work` folder, as pickles that only this user's jobs read.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from speechkd.errors import ResourceError, UsageError, missing_extra
from speechkd.runner.executors import Workers
from speechkd.runner.pool import WorkerDied

# What submitit itself knows on every cluster, with the type it wants; all else is Slurm's.
_GENERAL: dict[str, Callable[[str], Any]] = {"timeout_min": int, "mem_gb": float, "cpus_per_task": int, "name": str}
_DEFAULTS: dict[str, Any] = {"cpus_per_task": 1, "timeout_min": 240, "name": "speechkd"}
_POLL_S = {"slurm": 5.0, "local": 0.1}
_GO_ON = "Install the same packages for the jobs and run again: finished work is kept"


def parse_parameters(text: str) -> tuple[str, dict[str, Any]]:
    """The cluster (`slurm` or `local`) and submitit's parameters from `key=value,…`; UsageError if they are not."""
    parameters: dict[str, Any] = dict(_DEFAULTS)
    cluster = "slurm"
    for part in filter(None, text.split(",")):
        key, equals, value = (each.strip() for each in part.partition("="))
        if not equals or not key.isidentifier() or not value:
            raise UsageError(f"--executor slurm: {part!r} is not key=value", todo="For example: slurm:partition=cpu")
        if key == "cluster":
            cluster = value
        elif key in _GENERAL:
            try:
                parameters[key] = _GENERAL[key](value)
            except ValueError:
                raise UsageError(f"--executor slurm: {key}={value} is not a number") from None
        else:
            parameters[f"slurm_{key}"] = value
    if cluster not in _POLL_S:
        raise UsageError(f"--executor slurm: unknown cluster {cluster!r}", todo=f"Known: {', '.join(_POLL_S)}")
    return cluster, parameters


def slurm_workers(text: str, jobs: int) -> Workers:
    """`jobs` jobs at a time, each with its share of the shards. ResourceError without submitit or Slurm."""
    cluster, parameters = parse_parameters(text)
    if importlib.util.find_spec("submitit") is None:
        raise missing_extra("submitit", "cluster", "--executor slurm")
    if cluster == "slurm" and shutil.which("sbatch") is None:
        todo = "Start the run on a login node of the cluster, or use --executor local"
        raise ResourceError("cannot use Slurm", why="there is no sbatch on this machine", todo=todo)

    def make(folder: Path) -> _SubmititExecutor:
        import submitit

        try:
            executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
            executor.update_parameters(**parameters)
        except (NameError, ValueError, AssertionError) as error:
            raise UsageError("--executor slurm: " + str(error).splitlines()[0]) from error
        except RuntimeError as error:  # there is sbatch but no srun
            todo = "Start the run on a login node of the cluster, or use --executor local"
            raise ResourceError("cannot use Slurm", why=_last_line(error), todo=todo) from error
        return _SubmititExecutor(executor, _POLL_S[cluster])

    return Workers(make, lambda: jobs, remote=True, n_groups=jobs)


class _SubmititExecutor:
    """concurrent.futures' interface over submitit's jobs, which a thread looks after."""

    def __init__(self, executor: Any, poll_s: float) -> None:
        self._executor, self._poll_s = executor, poll_s
        self._jobs: dict[Future[Any], Any] = {}
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Queue a job; ResourceError if Slurm does not take it."""
        try:
            job = self._executor.submit(function, *args)
        except (OSError, RuntimeError) as error:  # submitit's own errors are RuntimeErrors
            todo = "Look at the parameters (slurm:key=value,…) and the limits of the cluster"
            raise ResourceError("Slurm has refused a job", why=_last_line(error), todo=todo) from error
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            self._jobs[future] = job
        return future

    def _watch(self) -> None:
        while not self._ended.wait(self._poll_s):
            with self._lock:
                jobs = list(self._jobs.items())
            for future, job in jobs:
                if _settle(future, job):
                    with self._lock:
                        self._jobs.pop(future, None)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop looking; with `cancel_futures` the jobs are cancelled, running or not."""
        self._ended.set()
        self._watcher.join()
        for job in self._jobs.values() if cancel_futures else ():
            with contextlib.suppress(OSError):
                job.cancel(check=False)
        deadline = time.monotonic() + 10 * self._poll_s
        while cancel_futures and wait and time.monotonic() < deadline:
            if all(job.done() for job in self._jobs.values()):
                break
            time.sleep(0.05)


def _settle(future: Future[Any], job: Any) -> bool:
    """Give a future what became of its job; False while that is not known."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        if not job.done():
            return False
        future.set_result(job.result())
    except FailedJobError as error:
        future.set_exception(ResourceError("a Slurm job failed", where=str(job.paths.stderr), why=_last_line(error)))
    except UncompletedJobError as error:
        future.set_exception(WorkerDied(f"job {job.job_id}: {_last_line(error)}"))
    except BaseException as error:  # reading a result can raise anything; it would end the thread that watches all jobs
        why = f"{type(error).__name__}: {error}"
        future.set_exception(
            ResourceError("the result of a Slurm job cannot be read", where=f"job {job.job_id}", why=why, todo=_GO_ON)
        )
    return True


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
