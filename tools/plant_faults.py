#!/usr/bin/env python3
"""A corpus with known faults, and how many of them a report found.

    tools/plant_faults.py OUT --items 1000 --seed 1         writes the corpus OUT and, beside it, OUT.truth.json
    speechkd data validate OUT --json report.json
    tools/plant_faults.py --check OUT.truth.json report.json

Every fault is planted at least three times, never two on one item; all other items are sound. (The byte order mark
begins a file: it is planted once.) Found is what the report lists with the kind and the id, or the line, that were
planted; wrong is every other error or warning. Knows nothing of the validator but the names of its kinds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
LETTERS_PER_S = 14.0
WORDS = (
    "alder amber april basket birch bottle bridge candle carpet cedar cherry cloud copper corner cotton cousin "
    "crystal dinner doctor dragon early engine evening falcon farmer feather finger flower forest garden gentle ginger "
    "golden harbor hazel hollow honey island ivory jacket jungle kitchen ladder lantern lemon letter linen "
    "maple marble meadow mirror morning needle number ocean orange orchard paper "
    "parrot pencil pepper pigeon pillow planet pocket purple rabbit ribbon river rocket saddle salmon "
    "silver spider spring summer sunset table "
    "thunder timber tunnel turtle valley velvet violet walnut water window winter wonder yellow"
).split()  # fmt: skip


@dataclass
class Item:
    """One line and one recording, before anything is done to them. `lines` are bytes without the line end."""

    id: str
    text: str
    samples: np.ndarray
    rate: int
    lines: list[bytes] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def line(self, text: str, id_: str | None = None) -> bytes:
        """A line of the table with this text in both columns."""
        return f"{self.id if id_ is None else id_}|{text}|{text}".encode()


@dataclass(frozen=True)
class Fault:
    """`plant` breaks the item's recording (a path to write to) or its lines; `kinds`: one of these must be reported."""

    plant: Callable[[Item, Path], None]
    kinds: tuple[str, ...]
    least_s: float = 0.0


def sounded(change: Callable[[np.ndarray], np.ndarray], subtype: str = "PCM_16", rate: int | None = None):
    """A recording whose samples are changed."""

    def plant(item: Item, path: Path) -> None:
        soundfile.write(path, change(item.samples), rate or item.rate, subtype=subtype, format="WAV")

    return plant


def stored(file_format: str, suffix: str = ".wav", keep: float = 1.0):
    """The recording in another format, perhaps cut off."""

    def plant(item: Item, path: Path) -> None:
        path = path.with_suffix(suffix)
        soundfile.write(path, item.samples, item.rate, format=file_format)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])

    return plant


def patched(offset: int, value: int, size: int = 4):
    """A WAV file with some bytes of its header changed."""

    def plant(item: Item, path: Path) -> None:
        write_wav(item, path)
        data = bytearray(path.read_bytes())
        data[offset : offset + size] = value.to_bytes(size, "little")
        path.write_bytes(data)

    return plant


def raw(data: bytes):
    """A file of these bytes."""
    return lambda item, path: path.write_bytes(data) and None


def spelled(change: Callable[[Item], list[bytes]], keep_recording: bool = True):
    """Other lines for a recording that stays as it is, or is left out."""

    def plant(item: Item, path: Path) -> None:
        item.lines = change(item)
        if keep_recording:
            write_wav(item, path)

    return plant


def says(change: Callable[[str], str]):
    """A line with a changed text."""
    return spelled(lambda item: [item.line(change(item.text))])


def write_wav(item: Item, path: Path) -> None:
    """The sound recording."""
    soundfile.write(path, item.samples, item.rate, subtype="PCM_16", format="WAV")


def silenced(start: float, stop: float):
    """Zeros between two times; a negative one counts from the end."""

    def change(item: Item, path: Path) -> None:
        samples = item.samples.copy()
        places = [round((at if at >= 0 else len(samples) / item.rate + at) * item.rate) for at in (start, stop)]
        samples[places[0] : places[1] if stop else None] = 0
        soundfile.write(path, samples, item.rate, subtype="PCM_16")

    return change


def with_value(value: float):
    """One sample that is no number."""

    def change(samples: np.ndarray) -> np.ndarray:
        samples = samples.copy()
        samples[len(samples) // 2] = value
        return samples

    return sounded(change, "FLOAT")


def unreadable(item: Item, path: Path) -> None:
    """A file that nobody may read."""
    write_wav(item, path)
    path.chmod(0)


def trailing(item: Item, path: Path) -> None:
    """Bytes behind the end."""
    write_wav(item, path)
    with path.open("ab") as file:
        file.write(bytes(range(200)) * 3)


def both(item: Item, path: Path) -> None:
    """Two recordings of one name."""
    write_wav(item, path)
    soundfile.write(path.with_suffix(".flac"), item.samples[::-1], item.rate)


def other_case(item: Item, path: Path) -> None:
    """The recording under a name of other case."""
    write_wav(item, path.with_name(path.name.upper().replace(".WAV", ".wav")))


def stale_link(item: Item, path: Path) -> None:
    """A link to what is gone."""
    path.symlink_to("gone.wav")


AUDIO: dict[str, Fault] = {
    "zero bytes": Fault(raw(b""), ("empty_file",)),
    "one byte": Fault(raw(b"R"), ("undecodable",)),
    "RIFF without chunks": Fault(raw(b"RIFF\x24\0\0\0WAVE"), ("wrong_length",)),
    "text called .wav": Fault(raw(b"no sound, only words about sound\n" * 99), ("undecodable",)),
    "web page called .wav": Fault(raw(b"<!DOCTYPE html><title>404</title>" * 50), ("undecodable",)),
    "MP3 called .wav": Fault(stored("MP3"), ("wrong_suffix",)),
    "FLAC called .wav": Fault(stored("FLAC"), ("wrong_suffix",)),
    "Ogg called .wav": Fault(stored("OGG"), ("wrong_suffix",)),
    "MP3 only": Fault(stored("MP3", ".mp3"), ("unsupported_format",)),
    "header only": Fault(sounded(lambda x: x[:0]), ("no_samples",)),
    "cut in the middle": Fault(stored("WAV", keep=0.5), ("wrong_length",)),
    "cut in the header": Fault(stored("WAV", keep=0.0005), ("wrong_length",)),
    "FLAC cut": Fault(stored("FLAC", ".flac", 0.6), ("undecodable", "wrong_length")),
    "header promises more": Fault(patched(40, 10**7), ("wrong_length",)),
    "header promises less": Fault(patched(40, 20_000), ("wrong_length",)),
    "header promises all ones": Fault(patched(40, 2**32 - 1), ("wrong_length",)),
    "0 channels": Fault(patched(22, 0, 2), ("undecodable",)),
    "0 Hz": Fault(patched(24, 0), ("undecodable",)),
    "unknown codec": Fault(patched(20, 0x1234, 2), ("undecodable",)),
    "bytes after the end": Fault(trailing, ("trailing_data",)),
    "NaN": Fault(with_value(np.nan), ("not_finite",)),
    "infinite": Fault(with_value(-np.inf), ("not_finite",)),
    "over full scale": Fault(sounded(lambda x: x * 20, "FLOAT"), ("over_full_scale",)),
    "one sample": Fault(sounded(lambda x: x[:1] + 0.1), ("too_short",)),
    "a tenth of a second": Fault(sounded(lambda x: x[5000:6600]), ("too_short",)),
    "forty seconds": Fault(sounded(lambda x: np.tile(x, 20)), ("too_long",)),
    "zeros": Fault(sounded(lambda x: x * 0), ("silent",)),
    "nearly zeros": Fault(sounded(lambda x: x * 1e-3), ("silent",)),
    "very quiet": Fault(sounded(lambda x: x * 0.006 / np.abs(x).max()), ("quiet",)),
    "20 dB down": Fault(sounded(lambda x: x * 0.1), ("level",)),
    "silence before": Fault(silenced(0, 1.3), ("leading_silence",), 2.2),
    "silence after": Fault(silenced(-1.8, 0), ("trailing_silence",), 2.3),
    "silence inside": Fault(silenced(0.3, 2.0), ("inner_silence",), 2.3),
    "clipped": Fault(sounded(lambda x: np.clip(x * 3 * 0.5 / np.abs(x).max(), -1, 1)), ("clipped",)),
    "constant offset": Fault(sounded(lambda x: x * 0.5 + 0.2), ("dc_offset",)),
    "two channels": Fault(sounded(lambda x: np.stack([x, x], 1)), ("channel_mix",)),
    "eight channels": Fault(sounded(lambda x: np.stack([x] * 8, 1)), ("channel_mix",)),
    "another rate": Fault(sounded(lambda x: np.repeat(x, 3), rate=48_000), ("sample_rate_mix",)),
    "8 kHz": Fault(sounded(lambda x: x[::2], rate=8000), ("low_sample_rate",)),
    "a folder": Fault(lambda item, path: path.mkdir(), ("not_a_file",)),
    "a pipe": Fault(lambda item, path: os.mkfifo(path), ("not_a_file",)),
    "a device": Fault(lambda item, path: path.symlink_to("/dev/zero"), ("not_a_file",)),
    "a link to itself": Fault(lambda item, path: path.symlink_to(path.name), ("link_loop",)),
    "a link to nothing": Fault(stale_link, ("dangling_link",)),
    "no right to read": Fault(unreadable, ("unreadable",)),
    "no recording": Fault(lambda item, path: None, ("missing_recording",)),
    "recording in capitals": Fault(other_case, ("missing_recording",)),
    "two recordings": Fault(both, ("ambiguous_recording",)),
}

LONG = "many more words than anybody can say in so short a time " * 3
TEXT: dict[str, Fault] = {
    "no line": Fault(spelled(lambda item: []), ("no_transcript",)),
    "no text": Fault(says(lambda text: ""), ("empty_transcript",)),
    "only signs": Fault(says(lambda text: "?! …"), ("no_words",)),
    "far too much text": Fault(says(lambda text: f"{text} {LONG}"), ("speaking_rate",)),
    "far too little text": Fault(says(lambda text: f"oh {text[:4]}"), ("speaking_rate",)),
    "100,000 characters": Fault(says(lambda text: "word " * 20_000), ("long_transcript",)),
    "digits": Fault(says(lambda text: f"{text} 42"), ("digits",)),
    "emoji": Fault(says(lambda text: f"{text} 🎉"), ("emoji",)),
    "right to left": Fault(says(lambda text: f"{text} שלום"), ("right_to_left",)),
    "a word of another script": Fault(says(lambda text: f"{text} мир"), ("foreign_script",)),
    "two scripts in a word": Fault(says(lambda text: f"{text} pаper"), ("mixed_scripts",)),
    "unknown sign": Fault(says(lambda text: f"{text} © then"), ("unknown_character",)),
    "not composed": Fault(says(lambda text: unicodedata.normalize("NFD", f"{text} café")), ("not_nfc",)),
    "tab": Fault(says(lambda text: text.replace(" ", "\t", 1)), ("tab",)),
    "NUL": Fault(says(lambda text: f"{text}\0"), ("control_character",)),
    "escape": Fault(says(lambda text: f"\x1b[31m{text}"), ("control_character",)),
    "lone return": Fault(says(lambda text: f"{text}\rmore"), ("control_character",)),
    "direction override": Fault(says(lambda text: f"{text}\u202e"), ("control_character",)),
    "byte order mark inside": Fault(says(lambda text: f"\ufeff{text}"), ("control_character",)),
    "replacement character": Fault(says(lambda text: f"{text} caf\ufffd"), ("control_character",)),
    "Latin-1": Fault(spelled(lambda item: [item.line(item.text) + " café".encode("latin-1")]), ("not_utf8",)),
    "Windows line end": Fault(spelled(lambda item: [item.line(item.text) + b"\r"]), ("crlf",)),
    "one column": Fault(spelled(lambda item: [item.id.encode()]), ("column_count",)),
    "four columns": Fault(spelled(lambda item: [item.line(item.text) + b"|x"]), ("column_count",)),
    "two columns": Fault(spelled(lambda item: [f"{item.id}|{item.text}".encode()]), ("column_mix",)),
    "tabs for bars": Fault(
        spelled(lambda item: [item.line(item.text).replace(b"|", b"\t")], keep_recording=False), ("column_count",)
    ),
    "no id": Fault(spelled(lambda item: [item.line(item.text, "")], keep_recording=False), ("empty_id",)),
    "id is a path": Fault(
        spelled(lambda item: [item.line(item.text, f"../{item.id}")], keep_recording=False), ("bad_id",)
    ),
    "id twice": Fault(spelled(lambda item: [item.line(item.text), item.line(item.text + " again")]), ("duplicate_id",)),
    "blank line": Fault(spelled(lambda item: [item.line(item.text), b""]), ("blank_line",)),
}

FAULTS = AUDIO | TEXT
TWINS = "recording twice"  # takes a second item; said of the first
MARK = "byte order mark"  # can only stand at the start of the table


def speech_like(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Harmonics of a wandering pitch in syllables, with a little noise: (T,), peak 0.5."""
    time_s = np.arange(int(seconds * RATE)) / RATE
    f0_hz = rng.uniform(90, 240) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.3, 0.9) * time_s + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE
    wave = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 9))
    syllables = 0.25 + np.sin(np.pi * 4 * time_s + rng.uniform(0, 6)) ** 2
    samples = wave * syllables + rng.normal(0, 0.02, len(time_s))
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def made_items(number: int, seed: int) -> list[Item]:
    """Items of 2.4 to 3.4 seconds with sentences that do not repeat."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    items: list[Item] = []
    seen: set[str] = set()
    while len(items) < number:
        text = " ".join(draw.sample(WORDS, draw.randint(6, 7)))
        if text not in seen:
            seen.add(text)
            seconds = sum(map(str.isalpha, text)) / LETTERS_PER_S * rng.uniform(0.95, 1.05)
            items.append(Item(f"item-{len(items):05d}", text, speech_like(seconds, rng), RATE))
    return items


def cut_items(source: Path, number: int, left_out: set[str]) -> list[Item]:
    """The first items of a sound corpus in the layout of LJSpeech."""
    items: list[Item] = []
    for line in (source / "metadata.csv").read_text(encoding="utf-8").splitlines():
        id_, *_, text = line.split("|")
        path = next(
            (source / "wavs" / (id_ + end) for end in (".wav", ".flac") if (source / "wavs" / (id_ + end)).exists()),
            None,
        )
        if id_ not in left_out and path is not None and len(items) < number:
            samples, rate = soundfile.read(path, dtype="float32")
            items.append(Item(id_, text, samples, rate))
    return items


def plant(out: Path, items: list[Item], seed: int, each: int) -> dict[str, object]:
    """Write the corpus `out` with `each` of each fault; returns the truth."""
    draw = random.Random(seed)
    free = draw.sample(items, len(items))
    if each * (len(FAULTS) + 2) > len(items):
        raise SystemExit(f"{len(items)} items are too few for {each} of each of {len(FAULTS) + 1} faults")
    (out / "wavs").mkdir(parents=True)
    done: list[dict[str, object]] = []
    changed: set[str] = set()
    for name, fault in FAULTS.items():
        fitting = [item for item in free if len(item.samples) >= fault.least_s * item.rate][:each]
        for item in fitting:
            free.remove(item)
            item.lines = [item.line(item.text)]
            fault.plant(item, out / "wavs" / f"{item.id}.wav")
            changed.add(item.id)
            done.append({"fault": name, "ids": [item.id], "kinds": list(fault.kinds), "item": item.id})
    for _ in range(each):
        first, second = sorted((free.pop(), free.pop()), key=lambda item: item.id)
        second.samples, second.rate = first.samples, first.rate
        done.append({"fault": TWINS, "ids": [first.id, second.id], "kinds": ["same_recording"], "item": first.id})
    write_table(out, items, changed, done)
    return {"items": len(items), "planted": done, "clean": len(free)}


def write_table(out: Path, items: list[Item], changed: set[str], done: list[dict[str, object]]) -> None:
    """The table, the sound recordings, and into `done` the lines on which each planted item stands."""
    lines: list[bytes] = []
    places: dict[str, list[int]] = defaultdict(list)
    for item in items:
        path = out / "wavs" / f"{item.id}.wav"
        if item.id not in changed:
            item.lines = [item.line(item.text)]
            write_wav(item, path)
        for line in item.lines:
            lines.append(line)
            places[item.id].append(len(lines))
    for row in done:
        row["lines"] = places[str(row.pop("item"))]
    done.append({"fault": MARK, "ids": [], "kinds": ["bom"], "lines": [1]})
    (out / "metadata.csv").write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines) + b"\n")


def check(truth: dict[str, list[dict[str, list[str]]]], report: dict[str, list[dict[str, str]]]) -> int:
    """Print recall and precision; 0 when both are 100 %."""
    problems = [problem for problem in report["problems"] if problem["severity"] in ("error", "warning")]
    right = [False] * len(problems)
    index: dict[str, list[int]] = defaultdict(list)
    for number, problem in enumerate(problems):
        for key in {f"id {problem['id']}", *_line(problem["where"])}:
            index[key].append(number)
    total: Counter[str] = Counter()
    found: Counter[str] = Counter()
    missed: list[str] = []
    for row in truth["planted"]:
        fault = str(row["fault"])
        keys = [f"id {id_}" for id_ in row["ids"]] + [f"line {line}" for line in row["lines"]]
        hits = [n for key in keys for n in index[key] if problems[n]["kind"] in row["kinds"]]
        for hit in hits:
            right[hit] = True
        total[fault] += 1
        found[fault] += bool(hits)
        if not hits:
            missed.append(f"missed: {fault}: {', '.join(row['ids']) or row['lines']}")
    wrong = [problem for problem, is_right in zip(problems, right, strict=True) if not is_right]
    print_result(total, found, missed, wrong, len(problems))
    return int(bool(missed or wrong))


def print_result(
    total: Counter[str], found: Counter[str], missed: list[str], wrong: list[dict[str, str]], n_problems: int
) -> None:
    """A line per fault, what is missed and wrong, and the sums."""
    for fault in sorted(total):
        print(f"{fault:<28} {found[fault]:>4} of {total[fault]:<4} {found[fault] / total[fault]:>7.1%}")
    for line in missed[:50]:
        print(line)
    for problem in wrong[:50]:
        print(
            f"wrong: {problem['severity']} {problem['kind']} {problem['id']} {problem['where']}: {problem['what'][:80]}"
        )
    recall = sum(found.values()) / max(1, sum(total.values()))
    precision = 1 - len(wrong) / max(1, n_problems)
    print(
        f"{len(total)} kinds of fault, {sum(total.values())} planted: recall {recall:.1%}; "
        f"{n_problems} errors and warnings: precision {precision:.1%}"
    )


def _line(where: str) -> list[str]:
    name, _, rest = where.partition(":")
    number = rest.split(":")[0]
    return [f"line {number}"] if name == "metadata.csv" and number.isdigit() else []


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", help="folder of the corpus, made new")
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--each", type=int, default=0, help="faults of each kind; else about 0.3 of the items, at least 3"
    )
    parser.add_argument("--source", type=Path, help="a sound corpus (metadata.csv and wavs/) to take the items from")
    parser.add_argument("--leave-out", default="", help="ids of the source that are not sound, with commas")
    parser.add_argument("--truth", type=Path, help="where the truth is written (OUT.truth.json)")
    parser.add_argument("--check", type=Path, nargs=2, metavar=("TRUTH", "REPORT"))
    given = parser.parse_args(arguments)
    if given.check:
        truth, report = (json.loads(path.read_text(encoding="utf-8")) for path in given.check)
        return check(truth, report)
    if given.out is None or given.out.exists():
        parser.error("give the name of a folder that is not there yet")
    left_out = set(given.leave_out.split(","))
    items = cut_items(given.source, given.items, left_out) if given.source else made_items(given.items, given.seed)
    each = given.each or max(3, int(len(items) * 0.3) // (len(FAULTS) + 1))
    truth = plant(given.out, items, given.seed, each)
    path = given.truth or given.out.with_name(given.out.name + ".truth.json")
    path.write_text(json.dumps(truth, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(
        f"{given.out}: {truth['items']} items, {len(truth['planted'])} planted, {truth['clean']} clean; truth: {path}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
