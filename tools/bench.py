#!/usr/bin/env python3
"""How fast this machine trains, extracts and answers.

    tools/bench.py train --preset paper --threads 2    mel frames per second of the real training loop
    tools/bench.py extract --corpus DIR                times real time of decoding, mel, F0 and energy on one core
    tools/bench.py extract --corpus DIR --jobs 1,2     seconds of the recipe's stage `extract`, by number of workers
    tools/bench.py speak VOICE                         real-time factor by part, cold start, growth with the text
    tools/bench.py controls VOICE                      what is asked for beside what is measured, on 20 sentences
    tools/bench.py stream VOICE                        seconds to the first sound by length of the text; a book
    tools/bench.py crops VIDEO...                      times real time of finding and cropping mouths on one core
    tools/bench.py help                                how long `speechkd --help` takes

Wall time is what a person waits; CPU time (of this process, all its threads) is nearly the same on a busy machine as
on a quiet one. Where the two differ much, something else was running.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    import numpy as np

    from recipes.tts.common.dataset import TtsDataset
    from speechkd.training.options import TrainOptions

PRESETS = ROOT / "recipes" / "tts" / "fastspeech2" / "conf"
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
TRAIN_TARGET, EXTRACT_TARGET, HELP_TARGET_S, STAGE_TARGET = 2000.0, 150.0, 0.3, 1.8
# LJSpeech, measured: 6.6 s per utterance with a deviation of 2.2 s, between 1.1 and 10.1 s; seven frames per token.
MEAN_FRAMES, DEVIATION_FRAMES, LEAST_FRAMES, MOST_FRAMES, FRAMES_PER_TOKEN = 560, 190, 95, 870, 7
WARM_UP_RECORDINGS = 8
SPEECHKD = "import sys; from speechkd.cli.main import main; sys.exit(main())"
Say = Callable[[str], None]


# Training


def synthetic_lengths(n_utterances: int, seed: int = 0) -> list[int]:
    """Frames per utterance, spread as in LJSpeech."""
    import numpy as np

    frames = np.random.default_rng(seed).normal(MEAN_FRAMES, DEVIATION_FRAMES, n_utterances)
    return [int(each) for each in np.clip(frames, LEAST_FRAMES, MOST_FRAMES)]


class SyntheticStore:
    """Features and tokens of utterances that nobody said, read like the artifacts of a run."""

    def __init__(self, n_utterances: int) -> None:
        self.frames = {f"bench-{i:04d}": n for i, n in enumerate(synthetic_lengths(n_utterances))}
        self.ids = sorted(self.frames)

    def meta(self, id_: str) -> dict[str, Any]:
        """What the artifacts `features` and `tokens` say about an utterance."""
        return {"n_frames": self.frames[id_], "symbols": ["AH0"] * (self.frames[id_] // FRAMES_PER_TOKEN)}

    def arrays(self, id_: str) -> dict[str, np.ndarray]:
        """Its mel (F, 80), f0_hz (F,), energy (F,) and durations (T,)."""
        import numpy as np

        n_frames, n_tokens = self.frames[id_], self.frames[id_] // FRAMES_PER_TOKEN
        draw = np.random.default_rng([int(id_.split("-")[1]), n_frames])
        time_s = np.arange(n_frames) / 86.0
        f0_hz = 200.0 * 2.0 ** (0.3 * np.sin(4.0 * time_s)) * (np.sin(9.0 * time_s) > -0.3)
        return {
            "mel": draw.normal(-5.0, 2.0, (n_frames, 80)).astype(np.float32),
            "f0_hz": f0_hz.astype(np.float32),
            "energy": draw.gamma(2.0, 20.0, n_frames).astype(np.float32),
            "durations": 1 + draw.multinomial(n_frames - n_tokens, np.full(n_tokens, 1.0 / n_tokens)),
        }


def synthetic_dataset(network: Any, n_utterances: int) -> TtsDataset:
    """The recipe's own data set over a `SyntheticStore`."""
    from functools import lru_cache

    from recipes.tts.common.dataset import TtsDataset
    from speechkd.features.statistics import corpus_statistics
    from speechkd.text import ENGLISH_SYMBOLS

    class Synthetic(TtsDataset):
        def __init__(self) -> None:
            store: Any = SyntheticStore(n_utterances)
            self.features = self.tokens = store
            self.symbols, self.network, self.speakers = ENGLISH_SYMBOLS, network, {}
            arrays = map(store.arrays, store.ids)
            self.statistics = corpus_statistics((a["mel"], a["f0_hz"], a["energy"]) for a in arrays)
            self.example = lru_cache(maxsize=None)(self._example)

    return Synthetic()


@dataclass
class StepClock:
    """A monitor of the training loop that notes when each step ended."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def row(self, row: Mapping[str, Any]) -> None:
        """Losses are of no interest here."""

    def message(self, text: str) -> None:
        """Nor is the log."""

    def advance(self, step: int, loss: float) -> None:
        """Note the time."""
        self.wall_s.append(time.perf_counter())
        self.cpu_s.append(time.process_time())


@dataclass(frozen=True)
class TrainingSpeed:
    """Valid mel frames per second of each measured step, and what they were measured with."""

    frames_per_s: list[float]
    frames_per_core_s: float
    cores_used: float
    parameters: int
    device: str
    precision: str
    precision_note: str
    batch_frames: int

    def lines(self, preset: str) -> list[str]:
        """The report."""
        rates = self.frames_per_s
        median = statistics.median(rates)
        lines = [
            f"model      {preset}, {self.parameters / 1e6:.1f} M parameters, batches of {self.batch_frames} frames",
            f"device     {self.device}, on average {self.cores_used:.2f} cores at work",
            f"precision  {self.precision}{self.precision_note}",
            f"speed      {median:,.0f} mel frames/s (median of {len(rates)} steps; {min(rates):,.0f} to "
            f"{max(rates):,.0f}), {median / 86.13:,.0f} times real time",
            f"by CPU     {self.frames_per_core_s:,.0f} mel frames per second of one core's time",
        ]
        return lines + ([verdict(median, TRAIN_TARGET, "frames/s")] if preset == "paper" else [])


def measure_training(preset: str, steps: int, warm_up: int, utterances: int, overrides: Sequence[str]) -> TrainingSpeed:
    """Time the real loop: batches, losses, backward, clipping, optimiser and averaging as in a run of the recipe."""
    import torch

    from recipes.tts.fastspeech2.config import FastSpeech2Recipe
    from recipes.tts.fastspeech2.task import FastSpeech2Task
    from recipes.tts.fastspeech2.train import model_config
    from speechkd.config import load_config
    from speechkd.models.tts.fastspeech2 import FastSpeech2
    from speechkd.training.device import cpu_has_bf16, device_name, resolve_device, resolve_precision
    from speechkd.training.loop import fit

    given = [*overrides, "run.dir=unused", "corpus.name=bench", "pack.name=bench"]
    cfg: Any = load_config(PRESETS / f"{preset}.yaml", FastSpeech2Recipe, given)
    options = cfg.train.model_copy(update=_only_steps(cfg.train, warm_up + steps))
    dataset = synthetic_dataset(cfg.model, utterances)
    torch.manual_seed(0)
    model = FastSpeech2(model_config(cfg.model, dataset.symbols, dataset.statistics))
    task = FastSpeech2Task(model, dataset, dataset.features.ids, dataset.features.ids[:1], options.batch_frames)
    frames, clock = _count_frames(task), StepClock()
    with tempfile.TemporaryDirectory(prefix="speechkd_bench_") as work:
        fit(task, options, Path(work), clock)
    cpu_s = clock.cpu_s[-1] - clock.cpu_s[warm_up - 1]
    # Time runs from the end of the step before; the first step has none.
    rates = [n / s for n, s in zip(frames[1:], _differences(clock.wall_s), strict=True)][warm_up - 1 :]
    device = resolve_device(options.device)
    precision = resolve_precision(options.precision, device)
    lacking = device == "cpu" and options.precision == "auto" and not cpu_has_bf16()
    return TrainingSpeed(
        rates,
        sum(frames[warm_up:]) / cpu_s,
        cpu_s / (clock.wall_s[-1] - clock.wall_s[warm_up - 1]),
        sum(p.numel() for p in model.parameters()),
        device_name(device),
        precision,
        " (this CPU does not compute bf16 natively)" if lacking else "",
        options.batch_frames,
    )


def _only_steps(options: TrainOptions, steps: int) -> dict[str, Any]:
    """Changes to a training's options that leave its steps as they are, and nothing between them."""
    never = {"log_every_steps": steps, "valid_every_steps": steps, "checkpoint_every_steps": steps}
    warm = min(options.schedule.warmup_steps, steps)
    return never | {
        "accumulate": 1,
        "max_steps": steps,
        "schedule": options.schedule.model_copy(update={"warmup_steps": warm}),
    }


def _count_frames(task: Any) -> list[int]:
    """A list that grows by the valid frames of each batch that the task loads; what it loads is cached before."""
    load, frames = task.load, []
    for ids in task.epoch(0, 0):
        load(ids)

    def counted(ids: Sequence[str]) -> Any:
        batch = load(ids)
        frames.append(int(batch.mel_lengths.sum()))
        return batch

    task.load = counted
    return frames


def _differences(times_s: Sequence[float]) -> list[float]:
    return [after - before for before, after in pairwise(times_s)]


# Extraction


@dataclass
class PartTimes:
    """Seconds per part of the work, by the clock on the wall and by the processor's."""

    wall_s: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add what happens inside to a part."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall_s[name] = self.wall_s.get(name, 0.0) + time.perf_counter() - wall
        self.cpu_s[name] = self.cpu_s.get(name, 0.0) + time.process_time() - cpu


# The parts of the stage `extract`; the wavelet transform is computed in training, and stands apart.
STAGE_PARTS = ("decode", "mel", "F0", "energy")


def extract_in_parts(path: Path, how: Any, times: PartTimes) -> tuple[dict[str, np.ndarray], float]:
    """The features of the stage `extract`, timed part by part, and the seconds of speech they describe."""
    import torch

    from recipes.tts.common.extract import load_speech
    from speechkd.audio.mel import linear_spectrogram, mel_from_linear
    from speechkd.features.energy import frame_energy
    from speechkd.features.pitch import continuous_contour, extract_f0
    from speechkd.features.wavelet import cwt

    preset = how.preset
    with times.part("decode"):
        samples = load_speech(path, preset, how.loudness_dbfs)
    with times.part("mel"):
        magnitude = linear_spectrogram(torch.from_numpy(samples)[None], preset)
        mel = mel_from_linear(magnitude, preset)[0].numpy()
    with times.part("F0"):
        f0_hz = extract_f0(samples, preset.sample_rate, preset.hop_samples, len(mel), how.f0_method)
    with times.part("energy"):
        energy = frame_energy(magnitude)[0].numpy()
    with times.part("cwt"):
        cwt(continuous_contour(f0_hz).normalised)
    return {"mel": mel, "f0_hz": f0_hz, "energy": energy}, len(samples) / preset.sample_rate


def measure_extraction(
    paths: Sequence[Path], f0_method: Literal["dio", "harvest"], preset: str = "hifigan_22k"
) -> tuple[PartTimes, float]:
    """Time every recording on one thread, after a few to warm up; also returns the seconds of speech."""
    import torch

    from recipes.tts.common.extract import Extraction
    from speechkd.audio.mel import mel_preset

    torch.set_num_threads(1)
    how: Any = Extraction(mel_preset(preset), -20.0, f0_method)
    for path in paths[:WARM_UP_RECORDINGS]:
        extract_in_parts(path, how, PartTimes())
    times, speech_s = PartTimes(), 0.0
    for path in paths:
        speech_s += extract_in_parts(path, how, times)[1]
    return times, speech_s


def extraction_lines(times: PartTimes, speech_s: float, n_recordings: int) -> list[str]:
    """The report."""
    lines = [
        f"{n_recordings} recordings, {speech_s / 60:.1f} min of speech, one thread",
        f"{'part':<8}  {'x real time':>12}  {'by CPU time':>12}",
    ]
    for name in (*STAGE_PARTS, "cwt"):
        lines.append(f"{name:<8}  {speech_s / times.wall_s[name]:>12,.0f}  {speech_s / times.cpu_s[name]:>12,.0f}")
    wall, cpu = (speech_s / sum(clock[name] for name in STAGE_PARTS) for clock in (times.wall_s, times.cpu_s))
    lines.append(f"{'+'.join(STAGE_PARTS)}: {wall:,.0f} times real time, {cpu:,.0f} by CPU time")
    return [*lines, verdict(cpu, EXTRACT_TARGET, "times real time by CPU time")]


def recordings(folder: Path, limit: int) -> list[Path]:
    """At most `limit` recordings under a folder, spread evenly over all of them by name."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    step = max(1, len(found) // limit) if limit else 1
    return found[::step][: limit or None]


@dataclass(frozen=True)
class StageTime:
    """The stage `extract` with a number of workers: seconds of the stage, and CPU seconds of runner and workers."""

    jobs: int
    stage_s: float
    runner_cpu_s: float
    worker_cpu_s: float


def measure_stage(corpus: Path, limit: int, jobs: Sequence[int], rounds: int, work: Path, say: Say) -> list[StageTime]:
    """Run the recipe's stage over a corpus with alignments made for it, in turns: 1, 2, 1, 2, …"""
    from tools.scale import make_grids, measure

    config, run, grids, log = work / "bench.yaml", work / "run", work / "grids", work / "bench.log"
    settings = {
        "recipe": "tts/fastspeech2",
        "run": {"dir": "run", "max_errors": limit or 1_000_000},
        "corpus": {"name": "bench", "dir": str(corpus.absolute()), "limit": limit},
        "pack": {"name": "bench"},
        "train": {"max_steps": 1000},
    }
    config.write_text(json.dumps(settings), encoding="utf-8")
    start = [sys.executable, "-c", SPEECHKD, "run", str(config)]
    given = ["--set", "align.backend=given", "--set", f"align.folder={grids}"]
    measure([*start, "--stop-stage", "tokenize"], log)
    make_grids(run, grids)
    measure([*start, "--only", "align", *given], log)
    found = []
    for number in [each for _ in range(rounds) for each in jobs]:
        begin = log.stat().st_size
        wall_s, watch = measure([*start, "--only", "extract", "--force", "--jobs", str(number), *given], log)
        told = re.findall(r"extract: done in ([0-9.]+) s", log.read_text(encoding="utf-8")[begin:])
        found.append(StageTime(number, float(told[-1]), watch.main_cpu_s, watch.cpu_s - watch.main_cpu_s))
        cpu = f"CPU {watch.main_cpu_s:.1f} s in the runner and {found[-1].worker_cpu_s:.1f} s in the workers"
        say(f"{number} workers: stage {found[-1].stage_s:.1f} s, command {wall_s:.1f} s, {cpu}")
    return found


def stage_lines(found: Sequence[StageTime]) -> list[str]:
    """The report: the best round of each number of workers against one worker."""
    best = {jobs: min(each.stage_s for each in found if each.jobs == jobs) for jobs in {each.jobs for each in found}}
    lines = [f"{jobs} workers: {best[jobs]:.1f} s, {best[1] / best[jobs]:.2f} times one" for jobs in sorted(best)]
    if 2 in best:
        # Amdahl: T(2) / T(1) = s + (1 - s) / 2.
        lines.append(f"serial share, as two workers show it: {max(0.0, 2 * best[2] / best[1] - 1):.1%}")
        lines.append(verdict(best[1] / best[2], STAGE_TARGET, "times one worker"))
    return lines


# The command line's own speed


def measure_help(runs: int) -> tuple[list[float], bool]:
    """Seconds of `speechkd --help` in fresh processes, and whether torch was imported."""
    program = "import sys; from speechkd.cli.main import main; main(['--help']); sys.exit('torch' in sys.modules)"
    command = [sys.executable, "-c", program]
    torch_seen = bool(subprocess.run(command, stdout=subprocess.DEVNULL, cwd=ROOT, check=False).returncode)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, cwd=ROOT, check=False)
        seconds.append(time.perf_counter() - start)
    return seconds, torch_seen


# The program


def verdict(value: float, target: float, unit: str) -> str:
    """One line: how a figure stands to its target."""
    return f"target     {target:,.{0 if target > 10 else 1}f} {unit}: {'reached' if value >= target else 'MISSED'}"


def _train(options: argparse.Namespace, say: Say) -> int:
    overrides = [*options.overrides, f"train.threads={options.threads}"]
    speed = measure_training(options.preset, options.steps, options.warm_up, options.utterances, overrides)
    say("\n".join(speed.lines(options.preset)))
    return 0


def _extract(options: argparse.Namespace, say: Say) -> int:
    if options.jobs:
        with tempfile.TemporaryDirectory(prefix="speechkd_bench_") as work:
            jobs = [int(each) for each in options.jobs.split(",")]
            found = measure_stage(Path(options.corpus), options.limit, jobs, options.rounds, Path(work), say)
        say("\n".join(stage_lines(found)))
        return 0
    with tempfile.TemporaryDirectory(prefix="speechkd_bench_") as work:
        folder = Path(options.corpus)
        if options.corpus == "mini":
            from recipes.tts.common.corpora.mini import speak_mini_corpus

            folder = Path(work)
            speak_mini_corpus(folder, min(options.limit or 100, 100))
        paths = recordings(folder, options.limit)
        if not paths:
            say(f"no recordings under {folder}")
            return 3
        times, speech_s = measure_extraction(paths, options.f0)
    say("\n".join(extraction_lines(times, speech_s, len(paths))))
    return 0


def _help(options: argparse.Namespace, say: Say) -> int:
    seconds, torch_seen = measure_help(options.runs)
    median = statistics.median(seconds)
    state = "reached" if median < HELP_TARGET_S else "MISSED"
    say(f"speechkd --help: {median:.3f} s (median of {len(seconds)}; {min(seconds):.3f} to {max(seconds):.3f})")
    say(f"target     below {HELP_TARGET_S} s: {state}; torch {'IS IMPORTED' if torch_seen else 'is not imported'}")
    return int(torch_seen)


def _speak(options: argparse.Namespace, say: Say) -> int:
    from tools.bench_speak import report

    words = _numbers(options.words)
    return report(options.voice, options.engine, options.threads, options.sentences, options.runs, words, say)


def _controls(options: argparse.Namespace, say: Say) -> int:
    from tools.bench_controls import report

    return report(options.voice, options.engine, options.sentences, say)


def _stream(options: argparse.Namespace, say: Say) -> int:
    from tools.bench_stream import report

    return report(options.voice, options.engine, options.threads, _numbers(options.words), _numbers(options.books), say)


def _numbers(given: str) -> list[int]:
    return [int(each) for each in given.split(",")] if given else []


def _crops(options: argparse.Namespace, say: Say) -> int:
    from tools.bench_crops import report

    return report(options.videos, say)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train", help="mel frames per second of training")
    train.add_argument("--preset", choices=("paper", "small"), default="paper")
    train.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    train.add_argument("--steps", type=int, default=5, help="measured steps")
    train.add_argument("--warm-up", type=int, default=2, help="steps before them")
    train.add_argument("--utterances", type=int, default=256)
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    train.set_defaults(work=_train)
    extract = commands.add_parser("extract", help="feature extraction in times real time")
    extract.add_argument("--corpus", default="mini", help="folder of recordings, or mini (default)")
    extract.add_argument("--limit", type=int, default=100, help="recordings to use; 0 is all")
    extract.add_argument("--f0", choices=("dio", "harvest"), default="dio")
    extract.add_argument("--jobs", default="", help="time the recipe's stage with these numbers of workers, as in 1,2")
    extract.add_argument("--rounds", type=int, default=2, help="with --jobs: how often each is timed; the best counts")
    extract.set_defaults(work=_extract)
    speak = commands.add_parser("speak", help="text to waveform: real-time factor, cold start, growth")
    speak.add_argument("voice", help="folder of a packed voice")
    speak.add_argument("--engine", choices=("auto", "onnx", "torch"), default="auto")
    speak.add_argument("--threads", type=int, default=2)
    speak.add_argument("--sentences", type=int, default=50)
    speak.add_argument("--runs", type=int, default=7, help="cold starts; 0 leaves them out")
    speak.add_argument("--words", default="1,10,100,500,1000,2000", help="lengths of the growing text; '' for none")
    speak.set_defaults(work=_speak)
    controls = commands.add_parser("controls", help="controls: asked and measured")
    controls.add_argument("voice", help="folder of a packed voice")
    controls.add_argument("--engine", choices=("auto", "onnx", "torch"), default="auto")
    controls.add_argument("--sentences", type=int, default=20)
    controls.set_defaults(work=_controls)
    stream = commands.add_parser("stream", help="seconds to the first sound; a book")
    stream.add_argument("voice", help="folder of a packed voice")
    stream.add_argument("--engine", choices=("auto", "onnx", "torch"), default="auto")
    stream.add_argument("--threads", type=int, default=2)
    stream.add_argument("--words", default="1,10,100,1000,20000", help="lengths of the texts that are begun")
    stream.add_argument("--books", default="1000,100000", help="words of the texts that are read out; '' for none")
    stream.set_defaults(work=_stream)
    crops = commands.add_parser("crops", help="films to mouth crops in times real time")
    crops.add_argument("videos", nargs="+", type=Path, metavar="VIDEO")
    crops.set_defaults(work=_crops)
    help_ = commands.add_parser("help", help="seconds of speechkd --help")
    help_.add_argument("--runs", type=int, default=7)
    help_.set_defaults(work=_help)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The program."""
    options = _parser().parse_args(arguments)
    if options.work is _extract:
        # Read by the numerical libraries when they are imported.
        os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    code: int = options.work(options, print)
    return code


if __name__ == "__main__":
    sys.exit(main())
