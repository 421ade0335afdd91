"""How fast mouths are cropped: the part of tools/bench.py about films."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.bench import verdict

TARGET = 5.0
PARTS = ("read", "track", "crop")


@dataclass
class CropTimes:
    """CPU seconds of each part, and what was cropped in them."""

    cpu_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    wall_s: float = 0.0
    film_s: float = 0.0
    crops: int = 0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add what runs inside to a part."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall_s += time.perf_counter() - wall
        self.cpu_s[name] += time.process_time() - cpu


def measure(paths: list[Path], say: Callable[[str], None]) -> CropTimes:
    """Crop every film on one thread, after the first once to warm up; films with lost faces are told."""
    import cv2

    from speechkd.features.mouth.crops import crop_mouths
    from speechkd.features.mouth.tracking import HaarFaces, lost_line, track_mouth
    from speechkd.features.mouth.video import read_video

    cv2.setNumThreads(1)
    detector, times = HaarFaces(), CropTimes()
    detector.faces(read_video(paths[0], resample=True).frames[0])
    for path in paths:
        with times.part("read"):
            video = read_video(path, resample=True)
        with times.part("track"):
            track = track_mouth(video.frames, detector, where=str(path))
        with times.part("crop"):
            crops = crop_mouths(video.frames, track)
        times.film_s += video.duration_s
        times.crops += len(crops)
        if track.lost:
            say(f"{path.name}: {lost_line(track.lost, len(crops))}")
    return times


def report(paths: list[Path], say: Callable[[str], None]) -> int:
    """Measure and print."""
    times = measure(paths, say)
    cpu_s = sum(times.cpu_s.values())
    say(f"{len(paths)} films, {times.film_s:.1f} s, {times.crops} crops, one thread")
    for name in PARTS:
        say(f"{name:<8}  {times.film_s / times.cpu_s[name]:>8,.1f} times real time by CPU time")
    say(f"together  {times.film_s / times.wall_s:>8,.1f} times real time, {times.film_s / cpu_s:,.1f} by CPU time")
    say(f"          {times.crops / cpu_s:>8,.0f} crops per second of CPU time")
    say(verdict(times.film_s / cpu_s, TARGET, "times real time by CPU time"))
    return 0
