"""How soon a voice is heard, and what a book costs: see `tools/bench.py stream`."""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tools.bench_speak import run_apart, target, text_of

Say = Callable[[str], None]
FIRST_TARGET_S, BOOK_TARGET = 0.060, 0.10
# What a process of its own does with a long text: it keeps no sound, and looks at its memory as it goes.
BOOK = """
import json, resource, sys, time
from speechkd.synthesis.load import load_voice
voice = load_voice(sys.argv[1], engine=sys.argv[2], threads=int(sys.argv[3]))
voice.synthesize("Yes.")
text = sys.stdin.read()
wall_s, cpu_s, speech_s, points = time.perf_counter(), time.process_time(), 0.0, []
for piece in voice.stream(text):
    speech_s += piece.duration_s
    if not points or speech_s > points[-1][0] + 60:
        memory_kib = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() // 1024
        points.append([speech_s, time.process_time() - cpu_s, memory_kib])
print(json.dumps([time.perf_counter() - wall_s, time.process_time() - cpu_s, speech_s, points]))
"""


def first_sound_s(voice: Any, text: str) -> float:
    """Seconds from the text to the first piece of its sound."""
    begin = time.perf_counter()
    next(voice.stream(text))
    return time.perf_counter() - begin


@dataclass(frozen=True)
class Book:
    """What a long text took; `points` are (seconds of speech, seconds of CPU, KiB of memory) on the way."""

    words: int
    wall_s: float
    cpu_s: float
    speech_s: float
    points: tuple[tuple[float, float, float], ...]

    @property
    def factor(self) -> float:
        """Real-time factor by CPU time."""
        return self.cpu_s / self.speech_s

    def memory_slope_kib(self) -> float:
        """KiB of memory per hour of speech: least squares over the second half, when everything is warm."""
        half = self.points[len(self.points) // 2 :]
        if len(half) < 2:
            return math.nan
        hours = [seconds / 3600 for seconds, _, _ in half]
        return statistics.linear_regression(hours, [kib for _, _, kib in half]).slope


def book(voice: str, engine: str, threads: int, words: int) -> Book:
    """Speak that many words in a process of its own."""
    told, *_ = run_apart(["-c", BOOK, voice, engine, str(threads)], text_of(words))
    wall_s, cpu_s, speech_s, points = json.loads(told)
    return Book(words, wall_s, cpu_s, speech_s, tuple(tuple(point) for point in points))


def report(voice: str, engine: str, threads: int, words: Sequence[int], books: Sequence[int], say: Say) -> int:
    """Measure and print; 0."""
    from speechkd.synthesis.load import load_voice

    loaded = load_voice(voice, engine=engine, threads=threads)  # type: ignore[arg-type]
    loaded.synthesize("Yes. " + text_of(60))
    say(f"voice {loaded.name}, engine {loaded.engine.name}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    say(f"{'words':>8}{'first sound s':>15}")
    medians = []
    for count in words:
        text = text_of(count)
        medians.append(statistics.median(first_sound_s(loaded, text) for _ in range(9)))
        say(f"{count:>8}{medians[-1]:>15.4f}")
    say(target(max(medians), FIRST_TARGET_S, "s from text to first sound, longest of the medians"))
    made = [book(voice, engine, threads, count) for count in books]
    if made:
        say(f"{'words':>8}{'speech h':>10}{'wall s':>9}{'CPU s':>9}{'CPU rtf':>9}{'MiB':>7}{'KiB per hour':>14}")
    for each in made:
        mib = each.points[-1][2] / 1024
        say(
            f"{each.words:>8}{each.speech_s / 3600:>10.2f}{each.wall_s:>9.1f}{each.cpu_s:>9.1f}{each.factor:>9.4f}"
            f"{mib:>7.0f}{each.memory_slope_kib():>14.0f}"
        )
    if len(made) > 1:
        apart = abs(made[-1].factor / made[0].factor - 1.0)
        say(target(apart, BOOK_TARGET, "between the real-time factors of the longest and the shortest text"))
    return 0
