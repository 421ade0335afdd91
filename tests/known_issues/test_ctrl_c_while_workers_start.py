"""Ctrl-C while the workers were still starting: they wrote tracebacks over the one line that says what happened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_an_interrupt_does_not_reach_the_process_that_workers_are_forked_from(tmp_path: Path) -> None:
    (tmp_path / "a_module_that_loads_slowly.py").write_text(
        "import signal, pathlib, time\n"
        "blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
        f"pathlib.Path({str(tmp_path / 'blocked')!r}).write_text(str(blocked))\n"
    )
    program = (
        "import pathlib, sys, time\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from speechkd.runner.pool import warm_up\n"
        "warm_up(['a_module_that_loads_slowly'])\n"
        f"answer = pathlib.Path({str(tmp_path / 'blocked')!r})\n"
        "for _ in range(1000):\n"
        "    if answer.exists() and answer.read_text():\n"
        "        break\n"
        "    time.sleep(0.02)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env=_environment(tmp_path))
    assert (tmp_path / "blocked").read_text() == "True"


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


def test_a_worker_whose_runner_is_gone_ends_quietly_and_any_other_error_is_shown() -> None:
    program = "import speechkd.runner.forked; raise {}"
    gone, other = (
        subprocess.run([sys.executable, "-c", program.format(error)], capture_output=True, text=True, timeout=60)
        for error in ("FileNotFoundError(2, 'No such file or directory')", "FileNotFoundError(2, 'no', 'main.py')")
    )
    assert gone.returncode and gone.stderr == ""
    assert other.returncode and "FileNotFoundError" in other.stderr and "main.py" in other.stderr
