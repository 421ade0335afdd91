"""A scheduler that died while a result was being fetched was reported as a worker that lacks the package."""

from __future__ import annotations

from typing import Any

import pytest

from speechkd.errors import ResourceError
from speechkd.runner.dask_workers import _DaskExecutor


class BrokenTask:
    """A finished task of dask whose result cannot be fetched any more."""

    status = "finished"

    def exception(self) -> BaseException | None:
        from distributed.comm import CommClosedError

        raise CommClosedError("Connection reset by peer")

    def add_done_callback(self, callback: Any) -> None:
        callback(self)


class Client:
    def submit(self, function: Any, *args: Any, **keywords: Any) -> BrokenTask:
        return BrokenTask()


def test_a_connection_that_breaks_while_a_result_is_fetched_is_a_lost_scheduler() -> None:
    pytest.importorskip("distributed")
    error = _DaskExecutor(Client()).submit(len, "").exception(timeout=0)
    assert isinstance(error, ResourceError)
    assert "scheduler was lost" in str(error) and "Run again" in str(error) and "Install" not in str(error)
