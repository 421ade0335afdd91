"""Loaded first, and only, in the process that local workers are forked from: no garbage is collected there.

Modules load a tenth faster that way, and their pages stay shared: a collection in a worker would write into every
object. `pool.start_worker` turns the collector on again in the workers, for what they make themselves.
"""

from __future__ import annotations

import gc
import sys
from types import TracebackType

gc.disable()


def _hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show what ends a worker before its first task, unless its runner was gone before the worker had started.

    Then the runner's semaphores are gone, too, and the error about them has no name of a file. Errors of tasks never
    come here: they go back to the runner.
    """
    if not (isinstance(error, FileNotFoundError) and error.filename is None):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _hook
