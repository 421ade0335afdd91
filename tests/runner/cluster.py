"""A dask cluster of real processes on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_S = 60


class DaskCluster:
    """A scheduler and its workers, each a process of its own with its own log; use it in a `with` block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.file = folder / "scheduler.json"

    def __enter__(self) -> DaskCluster:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._start("scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", self.file)
        deadline = time.monotonic() + START_S
        while not self.file.exists() or not self.file.read_text():
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def address(self) -> str:
        """Where the scheduler listens."""
        return str(json.loads(self.file.read_text())["address"])

    def workers(self, number: int) -> None:
        """Start workers of one thread, each a process that a nanny looks after."""
        self._start(
            "worker", "--scheduler-file", self.file, "--nworkers", str(number), "--nthreads", "1",
            "--no-dashboard", "--local-directory", self.folder / f"local{len(self.processes)}", "--memory-limit", "0",
        )  # fmt: skip

    def _start(self, kind: str, *arguments: Any) -> None:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *map(str, arguments)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with open(self.folder / f"{kind}{len(self.processes)}.log", "wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env=environment, start_new_session=True
            )
        self.processes.append(process)
