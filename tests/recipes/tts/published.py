"""Small corpora in the published layouts of the large ones, with a second of noise in each recording."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import soundfile

SENTENCES = (
    "Please call Stella.",
    "Ask her to bring these things.",
    "Six spoons of fresh snow peas.",
    "Five thick slabs.",
)


def record(path: Path, rate: int, seconds: float = 1.0) -> None:
    """Noise that depends on the name alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32("/".join(path.parts[-3:]).encode()))
    soundfile.write(path, rng.normal(0, 0.05, int(rate * seconds)), rate, subtype="PCM_16")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def make_vctk(folder: Path, speakers: tuple[str, ...] = ("p225", "p226", "p280"), n_own: int = 1) -> Path:
    """Release 0.92: every speaker reads the same first sentences; p280 has no second microphone."""
    info = ["ID  AGE  GENDER  ACCENTS  REGION COMMENTS "]
    for number, speaker in enumerate(speakers):
        info.append(f"{speaker}  2{number}  {'FM'[number % 2]}    English    Southern  England")
        own = [f"Only {speaker} says this{', again' * time}." for time in range(n_own)]
        for index, sentence in enumerate((*SENTENCES, *own), start=1):
            stem = f"{speaker}_{index:03d}"
            write(folder / "txt" / speaker / f"{stem}.txt", f"{sentence}\n")
            for mic in ("mic1",) if speaker == "p280" else ("mic1", "mic2"):
                record(folder / "wav48_silence_trimmed" / speaker / f"{stem}_{mic}.flac", 48_000)
    write(folder / "speaker-info.txt", "\n".join(info) + "\n")
    write(folder / "wav48_silence_trimmed" / "log.txt", "p225_001 0.1 0.9\n")
    return folder


def make_libritts(folder: Path) -> Path:
    """Three subsets; the books of a reader stand in folders of chapters."""
    write(
        folder / "SPEAKERS.txt",
        "; a comment\n;ID  |SEX| SUBSET           |MINUTES| NAME\n84   | F | dev-clean        | 5.0  | Christie Nowak\n"
        "1089 | M | test-clean       | 4.0 | Peter Bobbe\n14   | F | train-clean-100  | 25.03 | Kristin LeMoine\n",
    )
    for subset, reader, chapter in (
        ("dev-clean", 84, 121123),
        ("test-clean", 1089, 134686),
        ("train-clean-100", 14, 208),
    ):
        below = folder / subset / str(reader) / str(chapter)
        table, book = [], []
        for index, sentence in enumerate(SENTENCES):
            id_ = f"{reader}_{chapter}_{index:06d}_000000"
            normal = f"{sentence[:-1]}, says reader {subset.split('-')[0] if index % 2 else 'of books'}."
            record(below / f"{id_}.wav", 24_000)
            write(below / f"{id_}.original.txt", f"{sentence} (no. 1)")
            write(below / f"{id_}.normalized.txt", normal)
            table.append(f"{id_}\t{sentence} (no. 1)\t{normal}")
            book.append(f"{id_}\t{sentence}\t{normal}\t12.5")
        write(below / f"{reader}_{chapter}.trans.tsv", "\n".join(table) + "\n")
        write(below / f"{reader}_{chapter}.book.tsv", "\n".join(line.replace(" ", "_") for line in book) + "\n")
    return folder


def make_hifitts(folder: Path) -> Path:
    """Two readers with the three parts each."""
    for reader, quality in (("92", "clean"), ("6097", "other")):
        for number, part in enumerate(("train", "dev", "test")):
            lines = []
            for index in range(2):
                name = f"audio/{reader}_{quality}/10425/book_0{number}_author_{index:04d}.flac"
                record(folder / name, 44_100)
                text = SENTENCES[index + number][:-1].lower()
                row = {
                    "audio_filepath": name,
                    "text": text,
                    "duration": 1.0,
                    "text_no_preprocessing": f"{text.capitalize()} -- no. 1",
                    "text_normalized": f"{text.capitalize()}.",
                }
                lines.append(json.dumps(row))
            write(folder / f"{reader}_manifest_{quality}_{part}.json", "\n".join(lines) + "\n")
    return folder
