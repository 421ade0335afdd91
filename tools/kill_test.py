#!/usr/bin/env python3
"""Kill a run at random moments, finish it, and compare every artifact with an uninterrupted run's.

    tools/kill_test.py --config egs/mini/tts1/conf/fastspeech2.yaml --kills 10 --seed 1

The moments are drawn uniformly over the uninterrupted run's time; each is a stage and a time into it. If the run ends
before its moment comes, because it went on from where the last kill left it, its artifacts are compared, the stages
from there on are taken away, and it is started again for the same moment. Volatile outputs are not compared.
Exit code: 0 if all artifacts are equal, 1 if not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechkd.cli.recipes import load
from speechkd.config import dump_config
from speechkd.runner.digests import artifact_digest, hash_files

POLL_S = 0.005
Say = Callable[[str], None]
Command = Callable[[Path], Sequence[str]]


@dataclass(frozen=True)
class Moment:
    """A time in the uninterrupted run: `stage` (empty before the first) and seconds since that stage began."""

    at_s: float
    stage: str
    into_s: float


class Run:
    """One process of a run, in its own process group."""

    def __init__(self, command: Command, run_dir: Path, log: Path) -> None:
        self.run_dir = run_dir
        self.seen: dict[str, float] = {}
        self.start_ns = time.time_ns()
        self.start = time.monotonic()
        with open(log, "ab") as file:
            self.process = subprocess.Popen(command(run_dir), stdout=file, stderr=file, start_new_session=True)

    def poll(self) -> bool:
        """Note the stages that have begun; whether the process still runs."""
        for path in self.run_dir.glob(".work/*/state.json"):
            try:
                begun = path.stat().st_mtime_ns >= self.start_ns
            except FileNotFoundError:
                continue
            if begun:
                self.seen.setdefault(path.parent.name, time.monotonic() - self.start)
        time.sleep(POLL_S)
        return self.process.poll() is None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the process was started."""
        return time.monotonic() - self.start

    @property
    def stage(self) -> str:
        """The stage that began last."""
        return max(self.seen, key=lambda name: self.seen[name]) if self.seen else ""

    def finish(self) -> int:
        """Wait for the end; returns the exit code."""
        while self.poll():
            pass
        return self.process.returncode

    def kill(self) -> None:
        """SIGKILL the process and its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def draw_moments(seen: dict[str, float], duration_s: float, kills: int, seed: int) -> list[Moment]:
    """`kills` random moments over `duration_s`, in order; `seen`: when each stage began, in seconds."""
    generator = random.Random(seed)
    moments = []
    for at_s in sorted(generator.uniform(0, duration_s) for _ in range(kills)):
        begun = [name for name, start_s in seen.items() if start_s <= at_s]
        stage = max(begun, key=lambda name: seen[name]) if begun else ""
        moments.append(Moment(at_s, stage, at_s - seen.get(stage, 0.0)))
    return moments


def kill_at(run: Run, moment: Moment, order: Sequence[str]) -> str | None:
    """Kill the run at a moment; returns the stage that was hit, None if the run ended before."""
    later = set(order[order.index(moment.stage) :]) if moment.stage else set()
    due_s: float | None = None if moment.stage else moment.into_s
    while run.poll():
        if due_s is None and later & set(run.seen):
            due_s = run.elapsed_s + moment.into_s
        if due_s is not None and run.elapsed_s >= due_s:
            run.kill()
            return run.stage
    return None


def digests(run_dir: Path) -> dict[str, str]:
    """The digests of all artifacts of a run that are not volatile."""
    found: dict[str, str] = {}
    for path in sorted(run_dir.glob(".records/*.json")):
        for name, output in json.loads(path.read_text(encoding="utf-8"))["outputs"].items():
            if not output["volatile"]:
                found[name] = artifact_digest(hash_files(run_dir / name))
    return found


def differences(first: Path, second: Path) -> list[str]:
    """The files of non-volatile artifacts that differ between two runs."""
    names = sorted({*digests(first), *digests(second)})
    lines = []
    for name in names:
        before, after = hash_files(first / name), hash_files(second / name)
        for file in sorted({*before, *after}):
            a, b = before.get(file), after.get(file)
            if a is None or b is None or a.sha256 != b.sha256:
                lines.append(f"{name}/{file}: {a.sha256[:12] if a else 'absent'} → {b.sha256[:12] if b else 'absent'}")
    return lines


def rewind(run_dir: Path, stages: Sequence[str]) -> None:
    """Take away what these stages published."""
    for stage in stages:
        record = run_dir / ".records" / f"{stage}.json"
        if record.is_file():
            for name in json.loads(record.read_text(encoding="utf-8"))["outputs"]:
                shutil.rmtree(run_dir / name, ignore_errors=True)
            record.unlink()


class KillTest:
    """An uninterrupted run and one that is killed, side by side in `work`."""

    def __init__(self, command: Command, work: Path, say: Say) -> None:
        self.command, self.work, self.say = command, work, say
        self.reference, self.killed = work / "reference", work / "killed"

    def run(self, kills: int, seed: int) -> bool:
        """Whether the killed run ends with the same artifacts."""
        first = Run(self.command, self.reference, self.work / "reference.out")
        if first.finish() != 0:
            self.say(f"the uninterrupted run failed; its output is in {self.work / 'reference.out'}")
            return False
        order = sorted(first.seen, key=lambda name: first.seen[name])
        self.say(f"seed {seed}: uninterrupted run {first.elapsed_s:.1f} s, stages {', '.join(order)}")
        hits = 0
        for number, moment in enumerate(draw_moments(first.seen, first.elapsed_s, kills, seed), 1):
            hit = self._strike(moment, order)
            hits += hit is not None
            self.say(f"kill {number}: due {moment.stage or 'start-up'} + {moment.into_s:.2f} s: {hit or 'not reached'}")
        equal = self._equal_at_the_end()
        n_artifacts = len(digests(self.reference))
        verdict = f"{n_artifacts} artifacts equal" if equal else "FAILED: artifacts differ"
        self.say(f"seed {seed}, {hits} of {kills} kills: {verdict}")
        return equal

    def _strike(self, moment: Moment, order: Sequence[str]) -> str | None:
        """Kill the run at a moment; from the start of the moment's stage if the run ends before it."""
        for attempt in range(2):
            run = Run(self.command, self.killed, self.work / "killed.out")
            hit = kill_at(run, moment, order)
            if hit is not None:
                return f"killed in {hit or 'start-up'}" + (" (taken back)" if attempt else "")
            if run.process.returncode != 0 or not self._compare():
                self.say(f"the run ended with exit code {run.process.returncode} before {moment.stage}")
                return None
            rewind(self.killed, order[order.index(moment.stage) :] if moment.stage else order)
        return None

    def _equal_at_the_end(self) -> bool:
        last = Run(self.command, self.killed, self.work / "killed.out")
        if last.finish() != 0:
            self.say(f"the run cannot be finished; its output is in {self.work / 'killed.out'}")
            return False
        return self._compare()

    def _compare(self) -> bool:
        found = differences(self.reference, self.killed)
        for line in found:
            self.say(f"differs: {line}")
        return not found


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--work", type=Path, help="folder for both runs (default: a temporary one, deleted if equal)")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="kill_test_"))
    work.mkdir(parents=True, exist_ok=True)

    config = work / "config.yaml"  # resolved once: both runs must have the same, whoever edits the files meanwhile
    config.write_text(dump_config(load(options.config, options.overrides)[1]), encoding="utf-8")

    def command(run_dir: Path) -> list[str]:
        start = [sys.executable, "-c", "import sys; from speechkd.cli.main import main; sys.exit(main())", "run"]
        return [*start, str(config), "--jobs", str(options.jobs), "--set", f"run.dir={run_dir.absolute()}"]

    def say(text: str) -> None:
        print(text, flush=True)

    equal = KillTest(command, work, say).run(options.kills, options.seed)
    if equal and options.work is None:
        shutil.rmtree(work)
    else:
        say(f"both runs are in {work}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
