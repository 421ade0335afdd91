"""Where the work of `ctx.map` is done: this process, a pool of this machine's cores, or a cluster.

`local`, `dask:ADDRESS` (a running dask scheduler), `slurm[:key=value,…]` (jobs through submitit), or a function that
makes an object with `submit` and `shutdown` as concurrent.futures' executors have them (`pool.Executor`). Results do
not depend on the choice.

Functions and items travel as the cluster library sends them, which is with pickle: whoever can speak to the scheduler
can run programs as its workers. Give only the address of a scheduler that you trust; for TLS use `dask:tls://…` with
the certificates in dask's own configuration (DASK_DISTRIBUTED__COMM__TLS__…).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from speechkd.errors import UsageError
from speechkd.runner.pool import Executor, local_executor

ExecutorChoice = str | Callable[[], Executor]
KNOWN = "local, dask:ADDRESS, slurm[:key=value,…]"


@dataclass(frozen=True)
class Workers:
    """Where tasks run.

    `make(folder)` gives the executor for one map; what it writes goes under `folder`. `in_flight()`: how many tasks
    are handed over at a time. `inline`: no executor, the work is done here. `remote`: the workers were not started by
    this process, so they may lack the run folder or have other versions. `n_groups`: into how many tasks the shards
    are put (None: one each).
    """

    make: Callable[[Path], Executor]
    in_flight: Callable[[], int]
    inline: bool = False
    remote: bool = False
    n_groups: int | None = None


def check_executor(executor: ExecutorChoice) -> None:
    """UsageError for an executor that is not known; connects to nothing."""
    if callable(executor) or executor == "local":
        return
    kind, _, rest = executor.partition(":")
    if kind == "dask":
        if not rest:
            raise UsageError("--executor dask needs an address", todo="For example: --executor dask:10.0.0.1:8786")
    elif kind == "slurm":
        from speechkd.runner.slurm_workers import parse_parameters

        parse_parameters(rest)
    else:
        raise UsageError(f"unknown executor {executor!r}", todo=f"Known: {KNOWN}")


@contextlib.contextmanager
def open_workers(executor: ExecutorChoice, jobs: int, log: logging.Logger) -> Iterator[Workers]:
    """The workers of a run; a cluster is connected to here. ResourceError if it cannot be reached."""
    check_executor(executor)
    if callable(executor):
        factory = executor
        yield Workers(lambda folder: factory(), lambda: 2 * jobs, remote=True)
        return
    kind, _, rest = executor.partition(":")
    if kind == "dask":
        from speechkd.runner.dask_workers import dask_workers

        with dask_workers(rest, log) as workers:
            yield workers
    elif kind == "slurm":
        from speechkd.runner.slurm_workers import slurm_workers

        yield slurm_workers(rest, jobs)
    else:
        yield local_workers(jobs)


def local_workers(jobs: int) -> Workers:
    """This process for one job, a process pool for more."""
    return Workers(lambda folder: local_executor(jobs), lambda: jobs, inline=jobs == 1)
