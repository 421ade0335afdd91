#!/usr/bin/env python3
"""What a large corpus costs, stage by stage: seconds, memory and disk from corpora that grow.

    tools/scale.py --source CORPUS --utterances 1000,2000,4000 --work FOLDER

For each number it makes a corpus out of the shortest clips of CORPUS (hard links, with texts that are new draws of
CORPUS's words), runs prepare, tokenize, align and extract of the recipe tts/fastspeech2, each as a process of its own,
and notes wall and CPU seconds, the peak memory of the runner and of its workers, and what was written. `align` is a
stand-in: its TextGrids are made beforehand, with all phones of an utterance equally long, so that it costs what reading
and checking given alignments costs, not what an aligner does.

Then a line is fitted per stage, and what it gives for 10,000 hours of such clips is printed: an extrapolation. What is
finished is kept in FOLDER and not measured again; `--discard` deletes each corpus and run as soon as it is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

STAGES = {"prepare": "manifest", "tokenize": "tokens", "align": "alignment", "extract": "features"}
EDGE_S = 0.05
LONGEST_S, POLL_S = 2.2, 0.05
HOURS = 10_000
Say = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """One stage over one corpus. Memory is the peak of resident pages; `worker_mb` is that of the largest worker."""

    n_utterances: int
    speech_s: float
    stage: str
    wall_s: float
    cpu_s: float
    main_mb: float
    worker_mb: float
    written_mb: float
    files: int
    jobs: int


# The corpora


def short_clips(source: Path, number: int) -> list[tuple[Path, float]]:
    """The paths and seconds of at most `number` recordings of a corpus, the shortest first, up to LONGEST_S."""
    import soundfile

    paths = sorted((source / "wavs").iterdir())
    durations = {path: soundfile.info(path).duration for path in paths if path.suffix in (".wav", ".flac")}
    short = sorted((path for path in durations if 1.0 <= durations[path] <= LONGEST_S), key=lambda p: (durations[p], p))
    return [(path, durations[path]) for path in short[:number]]


def source_words(source: Path) -> list[str]:
    """All words of a corpus's texts, in order, as they are written there."""
    lines = (source / "metadata.csv").read_text(encoding="utf-8").splitlines()
    return [word for line in lines for word in line.rsplit("|", 1)[-1].split() if word.strip(".,;:!?\"'()").isalpha()]


def make_corpus(folder: Path, source: Path, n_utterances: int, n_clips: int) -> float:
    """A corpus of links to the clips, each with five words drawn anew; returns its seconds of speech."""
    clips, words = short_clips(source, n_clips), source_words(source)
    if not clips:
        raise SystemExit(f"{source} has no recording between 1 and {LONGEST_S} s")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "wavs").mkdir(parents=True)
    draw = random.Random(0)
    lines = []
    for index in range(n_utterances):
        path, _ = clips[index % len(clips)]
        name = f"S{index:07d}"
        _link(path.resolve(), folder / "wavs" / f"{name}{path.suffix}")
        lines.append(f"{name}|{' '.join(draw.choices(words, k=5))}\n")
    (folder / "metadata.csv").write_text("".join(lines), encoding="utf-8")
    return sum(clips[index % len(clips)][1] for index in range(n_utterances))


def _link(path: Path, name: Path) -> None:
    """The same file under another name: a hard link, or a symbolic one to another disk."""
    try:
        os.link(path, name)
    except OSError:
        name.symlink_to(path)


def make_grids(run: Path, folder: Path) -> None:
    """A TextGrid per utterance of a run's tokens, all of whose phones are equally long."""
    from recipes.tts.common.manifest import Manifest
    from speechkd.align import Alignment, Interval, write_textgrid
    from speechkd.runner import ItemStore
    from speechkd.text import Tokens

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = ItemStore(run / "tokens")
    for utterance in Manifest.read(run / "manifest").utterances:
        duration_s = float(utterance.duration_s or 0.0)
        words = Tokens.from_json(store.meta(utterance.id)).words
        step_s = (duration_s - 2 * EDGE_S) / sum(len(word.phones) for word in words)
        place, spoken, phones = 0, [], [Interval(0.0, EDGE_S, "")]
        for word in words:
            times = [EDGE_S + step_s * (place + i) for i in range(len(word.phones) + 1)]
            phones += [Interval(*pair) for pair in zip(times, times[1:], word.phones, strict=False)]
            spoken.append(Interval(times[0], times[-1], word.text))
            place += len(word.phones)
        phones.append(Interval(phones[-1].end_s, duration_s, ""))
        grid = Alignment(tuple(spoken), tuple(phones), duration_s)
        write_textgrid(folder / f"{utterance.id}.TextGrid", grid)


# Measuring


class Watch:
    """The peak memory of a process and of its largest descendant, in MB, and CPU seconds: looked at again and again."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.main_mb = self.worker_mb = 0.0
        self.cpu_of: dict[int, float] = {}

    def look(self) -> None:
        """Once more; peaks and sums are the kernel's own, so only what a process did after the last look is missed."""
        self.main_mb = max(self.main_mb, _peak_mb(self.pid))
        for pid in (self.pid, *_descendants(self.pid)):
            self.cpu_of[pid] = max(self.cpu_of.get(pid, 0.0), _cpu_s(pid))
            if pid != self.pid:
                self.worker_mb = max(self.worker_mb, _peak_mb(pid))

    @property
    def main_cpu_s(self) -> float:
        """CPU seconds of the process itself."""
        return self.cpu_of.get(self.pid, 0.0)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all of them."""
        return sum(self.cpu_of.values())


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def _descendants(pid: int) -> list[int]:
    try:
        own = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    except OSError:
        return []
    return [each for child in own for each in (child, *_descendants(child))]


def measure(command: Sequence[str], log: Path) -> tuple[float, Watch]:
    """Run a program to its end: its wall seconds, and what was seen of it and its descendants."""
    start = time.monotonic()
    with open(log, "ab") as file:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=ROOT, env=environment)
        watch = Watch(process.pid)
        while True:
            watch.look()
            if process.poll() is not None:
                break
            time.sleep(POLL_S)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}; its output is in {log}")
    return time.monotonic() - start, watch


class Scale:
    """Corpora and runs side by side in a folder, and the measurements in `measured.jsonl`."""

    def __init__(self, source: Path, work: Path, n_clips: int, jobs: int, say: Say) -> None:
        self.source, self.work, self.n_clips, self.jobs, self.say = source, work, n_clips, jobs, say
        work.mkdir(parents=True, exist_ok=True)
        self.results = work / "measured.jsonl"

    def measured(self) -> list[Measured]:
        """What has been measured so far."""
        if not self.results.exists():
            return []
        return [Measured(**json.loads(line)) for line in self.results.read_text(encoding="utf-8").splitlines()]

    def run(self, n_utterances: int, discard: bool) -> None:
        """Measure all stages over a corpus of this size, except those that have been."""
        done = {each.stage for each in self.measured() if (each.n_utterances, each.jobs) == (n_utterances, self.jobs)}
        if done == set(STAGES):
            return
        corpus, grids, run = (self.work / f"{kind}-{n_utterances}" for kind in ("corpus", "grids", "run"))
        facts = corpus / "facts.json"
        if not facts.exists():
            speech_s = make_corpus(corpus, self.source, n_utterances, self.n_clips)
            facts.write_text(json.dumps(speech_s), encoding="utf-8")
        speech_s = float(json.loads(facts.read_text(encoding="utf-8")))
        for stage in STAGES:
            if stage in done:
                continue
            if stage == "align" and not (grids / "complete").exists():
                make_grids(run, grids)
                (grids / "complete").touch()
            self._stage(stage, n_utterances, speech_s, self._command(corpus, grids, run, stage), run)
        if discard:
            for folder in (corpus, grids, run):
                shutil.rmtree(folder)

    def _command(self, corpus: Path, grids: Path, run: Path, stage: str) -> list[str]:
        settings = {"run.dir": run, "corpus.name": "scale", "corpus.dir": corpus, "pack.name": "scale"}
        if stage in ("align", "extract"):
            settings |= {"align.backend": "given", "align.folder": grids}
        config = self.work / "scale.yaml"
        config.write_text("recipe: tts/fastspeech2\ntrain: {max_steps: 1000}\n", encoding="utf-8")
        start = [sys.executable, "-c", "import sys; from speechkd.cli.main import main; sys.exit(main())", "run"]
        sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        return [*start, str(config), "--only", stage, "--force", "--jobs", str(self.jobs), *sets]

    def _stage(self, stage: str, n_utterances: int, speech_s: float, command: list[str], run: Path) -> None:
        wall_s, watch = measure(command, self.work / "scale.log")
        sizes = [path.stat().st_size for path in (run / STAGES[stage]).rglob("*") if path.is_file()]
        found = Measured(
            n_utterances, round(speech_s, 1), stage, round(wall_s, 2), round(watch.cpu_s, 2), round(watch.main_mb, 1),
            round(watch.worker_mb, 1), round(sum(sizes) / 1e6, 2), len(sizes), self.jobs,
        )  # fmt: skip
        with open(self.results, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(found), sort_keys=True) + "\n")
        self.say(
            f"{n_utterances:>8} {stage:<9} {found.wall_s:>8.1f} s, {found.cpu_s:>8.1f} s of CPU, "
            f"runner {found.main_mb:.0f} MB, workers {found.worker_mb:.0f} MB, {found.files} files"
        )


# The lines through the measurements


def line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Intercept and slope of the least-squares line; a single point is taken as a slope through the origin."""
    if len(set(xs)) < 2:
        return 0.0, ys[0] / xs[0]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum((x - mean_x) ** 2 for x in xs)
    return mean_y - slope * mean_x, slope


def bend(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Cost of one more utterance at the end over that at the start: 1 is linear, above is worse than linear."""
    if len(xs) < 3 or ys[1] == ys[0]:
        return float("nan")
    return ((ys[-1] - ys[-2]) / (xs[-1] - xs[-2])) / ((ys[1] - ys[0]) / (xs[1] - xs[0]))


def report(found: Iterable[Measured], jobs: int) -> list[str]:
    """A table of slopes, and what they give for a corpus of HOURS."""
    rows = sorted((each for each in found if each.jobs == jobs), key=lambda each: each.n_utterances)
    if not rows:
        return ["nothing has been measured"]
    clip_s = rows[-1].speech_s / rows[-1].n_utterances
    n_large = HOURS * 3600 / clip_s
    lines = [
        f"{'per 1,000 utterances':<21} {'CPU s':>8} {'bend':>6} {'runner MB':>10} {'workers MB':>11} {'disk MB':>9} "
        f"{'files':>7}",
    ]
    cpu_s = disk_mb = memory_mb = 0.0
    for stage in STAGES:
        own = [each for each in rows if each.stage == stage]
        if not own:
            continue
        xs = [float(each.n_utterances) for each in own]
        fits = {
            name: line(xs, [float(getattr(each, name)) for each in own])
            for name in ("cpu_s", "main_mb", "worker_mb", "written_mb", "files")
        }
        lines.append(
            f"{stage:<21} {1000 * fits['cpu_s'][1]:>8.2f} {bend(xs, [each.cpu_s for each in own]):>6.2f} "
            f"{1000 * fits['main_mb'][1]:>10.3f} {1000 * fits['worker_mb'][1]:>11.3f} "
            f"{1000 * fits['written_mb'][1]:>9.1f} {1000 * fits['files'][1]:>7.0f}"
        )
        cpu_s += fits["cpu_s"][1] * n_large
        disk_mb += fits["written_mb"][1] * n_large
        at_rest_mb, growth_mb = fits["main_mb"]
        memory_mb = max(memory_mb, at_rest_mb + growth_mb * n_large)
    return [
        *lines,
        f"extrapolated to {HOURS:,} hours in clips of {clip_s:.2f} s ({n_large / 1e6:.1f} million utterances): "
        f"{cpu_s / 3600:,.0f} CPU hours, {disk_mb / 1e6:,.2f} TB, {memory_mb / 1000:,.1f} GB in the runner",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="corpus with metadata.csv and wavs/")
    parser.add_argument("--utterances", default="1000,2000,4000", help="sizes, separated by commas")
    parser.add_argument("--work", type=Path, required=True, help="folder for corpora, runs and measurements")
    parser.add_argument("--clips", type=int, default=200, help="clips that are used over and over")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--discard", action="store_true", help="delete each corpus and run once it is measured")
    options = parser.parse_args(arguments)
    scale = Scale(
        options.source, options.work.absolute(), options.clips, options.jobs, lambda text: print(text, flush=True)
    )
    for number in sorted(map(int, options.utterances.split(","))):
        scale.run(number, options.discard)
    print("\n".join(report(scale.measured(), options.jobs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
