"""Make the aligner's boundary network, and measure the aligner.

    python tools/calibrate_aligner.py train --corpus LJSPEECH --sentences CORPUS --out speechkd/align/weights
    python tools/calibrate_aligner.py report --corpus LJSPEECH
    python tools/calibrate_aligner.py voices --sentences CORPUS

LJSPEECH holds metadata.csv, wavs/ and TextGrid/ (MFA's). Its ids, sorted, are split for good: those at even positions
are for training and choosing, those at odd positions for the report alone. CORPUS holds metadata.csv and wavs/: its
recordings are learned from with pocketsphinx's own times, its sentences are spoken by flite, which must be installed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from speechkd.align import Alignment, Interval, PocketsphinxOptions, make_aligner, read_textgrid
from speechkd.align.compare import BoundaryErrors, compare_pairs
from speechkd.align.matching import without_stress
from speechkd.align.types import SILENCE
from speechkd.audio.io import read_audio
from speechkd.cli.align_report import print_comparison
from speechkd.errors import DataError
from speechkd.text import EnglishFrontend

TRAINED_SENTENCES = slice(0, 900, 9)
CHECKED_SENTENCES = slice(902, 1022, 6)
OWN_RECORDINGS = slice(3, 1032, 4)
SHARES = (0.72, 0.2, 0.08)
MEMBERS = 4
# Chosen on every fourth clip of the even half (--part held-out) with networks that had not seen these (--hold-out);
# the last two on three such quarters, each with networks that had not seen it.
SEARCH = {
    "reach_frames": 20,
    "entry_weight": 8.0,
    "silence_cost": 0.0,
    "prior_scale": 0.3,
    "posterior_floor": 0.02,
    "duration_weight": 6.0,
    "min_frames": 3,
    "temperature": 6.0,
    "into_silence": 0.8,
}
TARGETS = {"mean": 12.0, "bias": 2.0, "within 20 ms": 0.85, "within 50 ms": 0.97, "times real time": 25.0}


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; 1 when the report misses a target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("train", "report", "voices"):
        command = commands.add_parser(name)
        if name != "voices":
            command.add_argument("--corpus", type=Path, required=True)
        if name != "report":
            command.add_argument("--sentences", type=Path, required=True)
    training = commands.choices["train"]
    training.add_argument("--out", type=Path, required=True)
    training.add_argument("--steps", type=int, default=1500)
    training.add_argument("--seed", type=int, default=0)
    training.add_argument(
        "--hold-out", action="store_true", help="leave a quarter for choosing: report --part held-out"
    )
    commands.choices["report"].add_argument("--unrefined", action="store_true", help="pocketsphinx's own boundaries")
    parts = ("test", "calibration", "held-out")
    commands.choices["report"].add_argument("--part", choices=parts, default="test", help="which clips")
    chosen = parser.parse_args(arguments)
    return {"train": train, "report": report, "voices": voices}[chosen.command](chosen)


def texts_of(corpus: Path) -> dict[str, str]:
    """The texts of a corpus by id, sorted; the normalised form where there are two."""
    rows = [line.split("|") for line in (corpus / "metadata.csv").read_text(encoding="utf-8").splitlines()]
    return {row[0]: row[2] if len(row) > 2 and not row[2][:1].isdigit() else row[1] for row in sorted(rows)}


def recording(corpus: Path, name: str) -> Path:
    """The recording of an id."""
    return next(path for suffix in ("flac", "wav") if (path := corpus / "wavs" / f"{name}.{suffix}").is_file())


def part(corpus: Path, name: str) -> list[str]:
    """The ids of "test" (odd positions), "calibration" (even positions), or of the latter "chosen" and "held-out"."""
    ids = list(texts_of(corpus))
    calibration = ids[0::2]
    held_out = calibration[3::4]
    chosen = [name for name in calibration if name not in set(held_out)]
    return {"test": ids[1::2], "calibration": calibration, "chosen": chosen, "held-out": held_out}[name]


def train(chosen: argparse.Namespace) -> int:
    """Write refine.safetensors and refine.json to --out."""
    import boundary_training as training
    import torch
    from safetensors.numpy import save_file

    torch.set_num_threads(1)
    ids = part(chosen.corpus, "chosen" if chosen.hold_out else "calibration")
    grids = {name: read_textgrid(chosen.corpus / "TextGrid" / f"{name}.TextGrid") for name in ids}
    exact = [
        training.clip_of(recording(chosen.corpus, name), grids[name].phones, speed, exact=True)
        for name in ids
        for speed in training.SPEEDS
    ]
    texts = list(texts_of(chosen.sentences).items())
    with tempfile.TemporaryDirectory() as folder:
        spoken = list(training.spoken_clips([text for _, text in texts[TRAINED_SENTENCES]], Path(folder)))
    own = list(training.own_clips((recording(chosen.sentences, name), text) for name, text in texts[OWN_RECORDINGS]))
    print(
        f"{len(exact)} clips with MFA's times, {len(spoken)} of flite, {len(own)} with pocketsphinx's times", flush=True
    )
    tensors = {}
    for member in range(MEMBERS):
        plan = training.Plan(chosen.steps, MEMBERS * chosen.seed + member, SHARES)
        network = training.train((exact, spoken, own), plan)
        tensors |= {f"{member}.{name}": value for name, value in network.tensors().items()}
    save_file(tensors, chosen.out / "refine.safetensors")
    card = {
        "command": f"tools/calibrate_aligner.py train --corpus LJSPEECH --sentences KATHLEEN --seed {chosen.seed}",
        "data": {
            "exact": f"{len(ids)} clips of LJSpeech with the times of the Montreal Forced Aligner, ids at even places",
            "synthetic": f"{len(texts[TRAINED_SENTENCES])} sentences by flite: {', '.join(training.FLITE_VOICES)}",
            "own": f"{len(own)} recordings of Kathleen with pocketsphinx's times, boundaries left out",
        },
        "network": {"labels": training.LABELS, "dilations": training.DILATIONS},
        "search": SEARCH,
        "log_prior": log_prior(grids.values(), training.LABELS),
        "durations": usual_durations(grids.values()),
        "licence": "weights: as the package; LJSpeech is public domain, Kathleen CC0",
    }
    text = json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False)
    (chosen.out / "refine.json").write_text(text + "\n", encoding="utf-8")
    return 0


def log_prior(grids: Iterable[Alignment], labels: Iterable[str]) -> list[float]:
    """Logarithm of the share of time that each label has."""
    seconds: dict[str, float] = dict.fromkeys(labels, 0.01)
    for grid in grids:
        for phone in grid.phones:
            if (label := without_stress(phone.label)) in seconds:
                seconds[label] += phone.duration_s
    total = sum(seconds.values())
    return [round(float(np.log(value / total)), 4) for value in seconds.values()]


def usual_durations(grids: Iterable[Alignment]) -> dict[str, tuple[float, float]]:
    """Mean and deviation of the logarithm of a phone's frames, drawn towards those of all phones where it is rare."""
    logs: dict[str, list[float]] = {}
    for grid in grids:
        for phone in grid.phones[1:-1]:
            if phone.label not in (SILENCE, "spn"):
                for name in {phone.label, without_stress(phone.label)}:
                    logs.setdefault(name, []).append(float(np.log(phone.duration_s * 100)))
    everything = np.concatenate([np.asarray(values) for values in logs.values()])
    found = {}
    for name, values in sorted(logs.items()):
        mean = (sum(values) + 5 * everything.mean()) / (len(values) + 5)
        spread = np.square(np.asarray(values) - mean).sum() + 5 * everything.var()
        found[name] = (round(float(mean), 4), round(float(np.sqrt(spread / (len(values) + 5))), 4))
    # A phone that never occurred is as long as any other.
    for name in _unseen(found):
        found[name] = (round(float(everything.mean()), 4), round(float(everything.std()), 4))
    return dict(sorted(found.items()))


def _unseen(found: Mapping[str, Any]) -> Iterator[str]:
    from speechkd.text.symbols import CONSONANTS, VOWELS

    return (phone for phone in (*VOWELS, *CONSONANTS) if phone not in found)


def report(chosen: argparse.Namespace) -> int:
    """Print how far the aligner is from MFA on the half that it was not made with, and how fast it is."""
    texts, console = texts_of(chosen.corpus), Console(highlight=False, width=140)
    aligner = make_aligner(PocketsphinxOptions(refine=not chosen.unrefined))
    frontend = EnglishFrontend()
    triples: list[tuple[str, Alignment, Alignment]] = []
    failures: list[str] = []
    seconds = cpu_s = 0.0
    for name in part(chosen.corpus, chosen.part):
        began = time.process_time()
        try:
            audio = read_audio(recording(chosen.corpus, name))
            found = aligner.align(audio.samples, audio.sample_rate, frontend.tokens(texts[name]), utterance_id=name)
            triples.append((name, read_textgrid(chosen.corpus / "TextGrid" / f"{name}.TextGrid"), found))
            seconds += audio.duration_s
        except DataError as error:
            failures.append(str(error))
        cpu_s += time.process_time() - began
    comparison = compare_pairs(triples)
    print_comparison(console, comparison)
    for line in (*failures, *(f"{name}: {found.note}" for name, _, found in triples if found.note)):
        console.print(line, markup=False)
    speed = seconds / cpu_s
    console.print(
        f"{len(failures)} failed; {cpu_s:.1f} s of CPU for {seconds:.1f} s of speech: {speed:.1f} x real time"
    )
    missed = [line for line in _verdict(comparison.both, comparison.phones, speed) if "missed" in line]
    for line in _verdict(comparison.both, comparison.phones, speed):
        console.print(line)
    return 1 if missed or failures else 0


def _verdict(words: BoundaryErrors, phones: BoundaryErrors | None, speed: float) -> Iterator[str]:
    for name, errors in (("words", words), ("phones", phones)):
        if errors is None:
            continue
        values = {
            "mean": (errors.mean_ms, errors.mean_ms <= TARGETS["mean"]),
            "bias": (errors.bias_ms, abs(errors.bias_ms) <= TARGETS["bias"]),
            "within 20 ms": (errors.within_20_ms, errors.within_20_ms >= TARGETS["within 20 ms"]),
            "within 50 ms": (errors.within_50_ms, errors.within_50_ms >= TARGETS["within 50 ms"]),
        }
        for what, (value, met) in values.items():
            yield f"{name}, {what}: {value:.3f}, target {TARGETS[what]:g}: {'met' if met else 'missed'}"
    met = speed >= TARGETS["times real time"]
    yield f"speed: {speed:.1f} x, target {TARGETS['times real time']:g}: {'met' if met else 'missed'}"


def voices(chosen: argparse.Namespace) -> int:
    """Print the errors against the times that flite and espeak-ng report of their own speech, before and after."""
    texts = list(texts_of(chosen.sentences).values())[CHECKED_SENTENCES]
    with tempfile.TemporaryDirectory() as folder:
        for voice in ("slt", "rms", "kal16", "awb"):
            _print_voice(f"flite {voice}", list(_flite_rows(voice, texts, Path(folder))))
        _print_voice("espeak-ng", list(_mini_rows(Path(folder) / "mini")))
    return 0


def _flite_rows(voice: str, texts: Iterable[str], folder: Path) -> Iterator[tuple[Path, str, tuple[Interval, ...]]]:
    from boundary_training import flite_speech

    for number, text in enumerate(texts):
        path = folder / f"{voice}-{number}.wav"
        yield path, text, tuple(flite_speech(voice, text, path))


def _mini_rows(folder: Path) -> Iterator[tuple[Path, str, tuple[Interval, ...]]]:
    from recipes.tts.common.corpora.mini import mini_sentences, speak_mini_corpus

    speak_mini_corpus(folder, 40)
    for path, text in zip(sorted((folder / "wavs").glob("*.wav")), mini_sentences(), strict=False):
        yield path, text, read_textgrid(folder / "TextGrid" / f"{path.stem}.TextGrid").phones


def _print_voice(name: str, rows: list[tuple[Path, str, tuple[Interval, ...]]]) -> None:
    from speechkd.align.compare_boundaries import phone_boundaries, shared_phones

    frontend = EnglishFrontend()
    for title, options in (("before", PocketsphinxOptions(refine=False)), ("after", PocketsphinxOptions())):
        errors: list[float] = []
        for path, text, phones in rows:
            audio = read_audio(path)
            found = make_aligner(options).align(audio.samples, audio.sample_rate, frontend.tokens(text))
            truth = Alignment((), phones, phones[-1].end_s)
            errors += [each.error_s for each in phone_boundaries(truth, found, shared_phones(truth, found))]
        e = BoundaryErrors.of(np.asarray(errors))
        print(
            f"{name:12s} {title:6s} {e.boundaries:5d} phone boundaries: mean {e.mean_ms:5.2f} ms, median "
            f"{e.median_ms:5.2f} ms, bias {e.bias_ms:+6.2f} ms, {e.within_20_ms:.1%} <= 20 ms, {e.within_50_ms:.1%} "
            f"<= 50 ms",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
