"""How fast a voice speaks: by part of the work, from a cold start, as the text grows; see `tools/bench.py speak`."""

from __future__ import annotations

import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RTF_TARGET, COLD_TARGET_S = 0.010, 0.8
PARTS = ("text", "acoustic", "vocoder")
SPEECHKD = "import sys; from speechkd.cli.main import main; sys.exit(main())"
# What a process of its own does for one point of the curve.
GROWTH = """
import json, sys, time
from speechkd.synthesis.load import load_voice
voice = load_voice(sys.argv[1], engine=sys.argv[2], threads=int(sys.argv[3]))
voice.synthesize("Yes.")
text = sys.stdin.read()
wall_s, cpu_s = time.perf_counter(), time.process_time()
speech = voice.synthesize(text)
print(json.dumps([time.perf_counter() - wall_s, time.process_time() - cpu_s, speech.duration_s]))
"""
# Starts a program and reports on it. What a process used before it became another program counts for that program
# too: started by the bench itself, every program would seem to need the memory of the bench with its loaded voice.
LAUNCH = """
import json, os, subprocess, sys, time
begin = time.perf_counter()
process = subprocess.Popen([sys.executable, *sys.argv[2:]])
_, status, usage = os.wait4(process.pid, 0)
wall_s = time.perf_counter() - begin
process.returncode = os.waitstatus_to_exitcode(status)
with open(sys.argv[1], "w") as file:
    json.dump([wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss], file)
sys.exit(process.returncode)
"""
Say = Callable[[str], None]


@dataclass(frozen=True)
class SentenceTimes:
    """Seconds per part for one sentence, by the wall and by the processor, and the seconds of its speech."""

    wall_s: dict[str, float]
    cpu_s: dict[str, float]
    speech_s: float

    def factor(self, part: str, clock: str) -> float:
        """Real-time factor of a part, or of their "sum"."""
        seconds = self.wall_s if clock == "wall" else self.cpu_s
        return (sum(seconds.values()) if part == "sum" else seconds[part]) / self.speech_s


def measure_sentence(voice: Any, text: str) -> SentenceTimes:
    """Speak one sentence part by part, as `Voice.synthesize` does."""
    from speechkd.synthesis.engines.interface import Delivery

    marks = [(time.perf_counter(), time.process_time())]

    def mark() -> None:
        marks.append((time.perf_counter(), time.process_time()))

    numbers = [voice.numbers(tokens) for tokens in voice.sentences(text)]
    mark()
    made = [voice.engine.predict(each, Delivery()) for each in numbers]
    mark()
    for each in made:
        if each.mel is not None:
            voice.engine.vocode(each.mel)
    mark()
    shape = voice.manifest.mel.shape
    speech_s = sum(each.n_frames for each in made) * shape.hop_samples / shape.sample_rate
    wall, cpu = ([after[i] - before[i] for before, after in itertools.pairwise(marks)] for i in (0, 1))
    return SentenceTimes(dict(zip(PARTS, wall, strict=True)), dict(zip(PARTS, cpu, strict=True)), speech_s)


def table(times: Sequence[SentenceTimes], threads: int) -> list[str]:
    """Medians over the sentences, by part."""
    lines = [
        f"{len(times)} sentences, {statistics.median(each.speech_s for each in times):.1f} s each, {threads} threads; "
        "real-time factors, medians",
        f"{'part':<10}{'wall':>10}{'CPU':>10}{'CPU / threads':>16}",
    ]
    for part in (*PARTS, "sum"):
        wall, cpu = (statistics.median(each.factor(part, clock) for each in times) for clock in ("wall", "cpu"))
        lines.append(f"{part:<10}{wall:>10.4f}{cpu:>10.4f}{cpu / threads:>16.4f}")
    return lines


def target(value: float, most: float, what: str) -> str:
    """How a figure stands to its target."""
    return f"target     {most:g} {what}: {'reached' if value <= most else 'MISSED'} ({value:.4f})"


def run_apart(arguments: Sequence[str], text: str = "") -> tuple[str, float, float, int]:
    """Run Python in a process of its own: its output, seconds by the wall and by the processor, peak memory in KiB."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory(prefix="speechkd_bench_") as work:
        used = Path(work) / "used.json"
        command = [sys.executable, "-c", LAUNCH, str(used), *arguments]
        done = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, env=environment, check=False)
        if done.returncode:
            raise RuntimeError(f"exit code {done.returncode} of {' '.join(arguments[:3])}")
        wall_s, cpu_s, peak_kib = json.loads(used.read_text(encoding="utf-8"))
    return done.stdout, wall_s, cpu_s, peak_kib


def cold_start(voice: str, engine: str, runs: int) -> tuple[float, float, list[str]]:
    """Best seconds by the wall and by the processor from the start of `speechkd synthesize` to its end; a report."""
    wall, cpu, peak_mib = [], [], 0.0
    with tempfile.TemporaryDirectory(prefix="speechkd_bench_") as work:
        output = str(Path(work) / "h.wav")
        command = ["-c", SPEECHKD, "synthesize", "Hello.", "--voice", voice, "--engine", engine, "-o", output]
        for _ in range(runs):
            _, wall_s, cpu_s, peak_kib = run_apart(command)
            wall.append(wall_s)
            cpu.append(cpu_s)
            peak_mib = peak_kib / 1024
    line = (
        f'speechkd synthesize "Hello.": {statistics.median(wall):.2f} s (median of {runs}; best {min(wall):.2f}), '
        f"{statistics.median(cpu):.2f} s of CPU (best {min(cpu):.2f}), {peak_mib:.0f} MiB"
    )
    return min(wall), min(cpu), [line]


def text_of(n_words: int) -> str:
    """The first words of a reading of plain sentences, over and over."""
    from recipes.tts.common.corpora.mini import mini_sentences

    words = " ".join(mini_sentences()).split()
    return " ".join(words[place % len(words)] for place in range(n_words))


@dataclass(frozen=True)
class Point:
    """What a text of some length took."""

    words: int
    wall_s: float
    cpu_s: float
    speech_s: float
    peak_mib: float


def growth(voice: str, engine: str, threads: int, words: Sequence[int]) -> list[Point]:
    """Speak texts of these lengths, each in a process of its own."""
    points = []
    for count in words:
        told, _, _, peak_kib = run_apart(["-c", GROWTH, voice, engine, str(threads)], text_of(count))
        wall_s, cpu_s, speech_s = json.loads(told)
        points.append(Point(count, wall_s, cpu_s, speech_s, peak_kib / 1024))
    return points


def slope(points: Sequence[Point], value: Callable[[Point], float], least_words: int = 100) -> float:
    """Least-squares slope of log value over log words, of texts of `least_words` or more: 1 is growth in proportion."""
    pairs = [(math.log(each.words), math.log(value(each))) for each in points if each.words >= least_words]
    if len(pairs) < 2:
        return math.nan
    mean_x, mean_y = (statistics.fmean(pair[i] for pair in pairs) for i in (0, 1))
    spread = sum((x - mean_x) ** 2 for x, _ in pairs)
    return sum((x - mean_x) * (y - mean_y) for x, y in pairs) / spread if spread else math.nan


def growth_lines(points: Sequence[Point]) -> list[str]:
    """The report."""
    lines = [f"{'words':>6}{'speech s':>10}{'wall s':>9}{'CPU s':>9}{'CPU rtf':>9}{'peak MiB':>10}"]
    for each in points:
        factor = each.cpu_s / each.speech_s
        lines.append(
            f"{each.words:>6}{each.speech_s:>10.1f}{each.wall_s:>9.3f}{each.cpu_s:>9.3f}{factor:>9.4f}"
            f"{each.peak_mib:>10.0f}"
        )
    by_time, by_memory = slope(points, lambda point: point.cpu_s), slope(points, lambda point: point.peak_mib)
    return [*lines, f"slope from 100 words, log over log: {by_time:.2f} of CPU time, {by_memory:.2f} of peak memory"]


def report(voice: str, engine: str, threads: int, sentences: int, runs: int, words: Sequence[int], say: Say) -> int:
    """Measure and print; 0."""
    from recipes.tts.common.corpora.mini import mini_sentences
    from speechkd.synthesis.load import load_voice

    loaded = load_voice(voice, engine=engine, threads=threads)  # type: ignore[arg-type]
    texts = mini_sentences()[:sentences]
    for text in texts[:3]:
        measure_sentence(loaded, text)
    times = [measure_sentence(loaded, text) for text in texts]
    say(f"voice {loaded.name}, engine {loaded.engine.name}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    say("\n".join(table(times, threads)))
    total = statistics.median(each.factor("sum", "cpu") for each in times) / threads
    say(target(total, RTF_TARGET, f"by CPU time on {threads} threads"))
    if runs:
        wall_s, _, lines = cold_start(voice, engine, runs)
        say("\n".join([*lines, target(wall_s, COLD_TARGET_S, "s from start to file, best run")]))
    if words:
        say("\n".join(growth_lines(growth(voice, engine, threads, words))))
    return 0
