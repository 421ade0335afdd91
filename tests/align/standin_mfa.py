#!/usr/bin/env python3
# ruff: noqa: T201
"""A stand-in for the Montreal Forced Aligner: it keeps MFA's command line and its files, and aligns nothing.

It takes `version`, `align`, `train` and `validate` with the options that speechkd uses, in the form of the version that
STANDIN_MFA_VERSION names, and refuses all others with exit code 2. (The real program of 2.1 and later lets unknown
options pass in silence; being stricter here finds a misspelt one.) It reads the exported corpus and dictionary,
normalises words as MFA does, and spreads the recording over the words by their letters. Conventions of the TextGrids:
1.x labels silence `sil`/`sp` and unknown words `spn`; 2.x leaves silence out and joins what it split; 3.x writes blanks
and, without clean-up, `sil` and `<eps>`.

STANDIN_MFA_MODE: "" works; "fail" exits with 1; "empty" exits with 0 and writes nothing; "hang" sleeps; "some" leaves
out every third file; "old" knows no `version`; "kalpy" is a pip installation without Kaldi.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
import wave
from pathlib import Path

VERSION = os.environ.get("STANDIN_MFA_VERSION", "3.3.8")
MODE = os.environ.get("STANDIN_MFA_MODE", "")
ERA = (1, 0) if "a" in VERSION else tuple(int(number) for number in re.findall(r"\d+", VERSION)[:3])

Row = tuple[float, float, str]


def parser() -> argparse.ArgumentParser:
    """The options of this version; argparse exits with 2 for others, as click does."""
    main = argparse.ArgumentParser(prog="mfa", allow_abbrev=False)
    commands = main.add_subparsers(dest="command", required=True)
    commands.add_parser("version")
    for name in ("align", "train", "validate"):
        command = commands.add_parser(name, allow_abbrev=False)
        command.add_argument("corpus", type=Path)
        command.add_argument("dictionary", type=Path)
        if name == "align":
            command.add_argument("model")
            command.add_argument("output", type=Path)
        if name == "train":
            add_train_outputs(command)
        add_common(command)
        if name == "align" and ERA >= (3, 3, 4):
            command.add_argument("--no_tokenization", action="store_true")
    return main


def add_train_outputs(command: argparse.ArgumentParser) -> None:
    if ERA < (2,):
        command.add_argument("output", type=Path)
        command.add_argument("-o", "--output_model_path", type=Path)
    elif ERA < (2, 1):
        command.add_argument("output_paths", nargs="+", type=Path)
    else:
        command.add_argument("output_model_path", type=Path)
        command.add_argument("--output_directory", dest="output", type=Path)


def add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--clean", action="store_true")
    command.add_argument("-j", "--num_jobs", type=int, default=3)
    command.add_argument("--config_path", type=Path)
    if ERA < (2,):
        command.add_argument("-t", "--temp_directory", type=Path)
        return
    command.add_argument("-t", "--temporary_directory", type=Path)
    command.add_argument("--overwrite", action="store_true")
    command.add_argument("--output_format", choices=["long_textgrid", "short_textgrid", "json", "csv"])
    if ERA < (2, 1):
        command.add_argument("--disable_textgrid_cleanup", dest="cleanup", action="store_false")
    else:
        command.add_argument("--no_textgrid_cleanup", dest="cleanup", action="store_false")
        command.add_argument("--single_speaker", action="store_true")


def read_dictionary(path: Path) -> dict[str, list[str]]:
    """First pronunciation of each word; tabs separate the columns, as MFA 2.0.5 and later insist."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, tab, phones = line.partition("\t")
        if not tab or not phones.split():
            sys.exit(f"DictionaryFileError: {line!r}")
        found.setdefault(word.lower(), phones.split())
    return found


def normalised(text: str, known: dict[str, list[str]]) -> list[str]:
    """MFA's words: lower case, marks stripped from the ends, cut at hyphens and apostrophes unless it knows them."""
    words = []
    for word in text.lower().split():
        bare = word.strip("\"'.,;:!?()-")
        if bare in known or not re.search(r"['-]", bare):
            words += [bare] if bare else []
            continue
        parts = [part for part in re.split(r"[-']", bare) if part]
        words += parts if any(part in known for part in parts) else [bare]
    return words


def intervals(words: list[str], known: dict[str, list[str]], duration_s: float) -> tuple[list[Row], list[Row]]:
    """Words and phones in time: silence at both ends and after the second word, the rest by numbers of letters."""
    pause_s = duration_s / 20
    letters = sum(map(len, words))
    step_s = (duration_s - 3 * pause_s) / letters
    at, word_rows, phone_rows = pause_s, [(0.0, pause_s, "sil")], [(0.0, pause_s, "sil")]
    for place, word in enumerate(words):
        end = at + step_s * len(word)
        phones = known.get(word, ["spn"])
        word_rows.append((at, end, word if word in known else "<unk>"))
        width = (end - at) / len(phones)
        phone_rows += [(at + i * width, at + (i + 1) * width, phone) for i, phone in enumerate(phones)]
        at = end
        if place == 1 or place == len(words) - 1:
            stop = duration_s if place == len(words) - 1 else at + pause_s
            silence = "sil" if stop == duration_s else "sp"
            word_rows.append((at, stop, silence))
            phone_rows.append((at, stop, silence))
            at = stop
    return word_rows, phone_rows


def in_convention(rows: list[Row], words: bool, cleanup: bool) -> list[Row]:
    """The rows as this version writes them."""
    silent = ("sil", "sp")
    if ERA < (2,):
        return [(a, b, "" if words and label in silent else label) for a, b, label in rows]
    if cleanup:
        return [row for row in rows if row[2] not in silent]
    if ERA < (2, 1):
        return rows
    return [(a, b, ("<eps>" if words else "sil") if label in silent else label) for a, b, label in rows]


def textgrid(tiers: list[tuple[str, list[Row]]], duration_s: float) -> str:
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", f"xmax = {duration_s} "]
    lines += ["tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]
    for number, (name, rows) in enumerate(tiers, start=1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier" ', f'        name = "{name}" ']
        lines += ["        xmin = 0 ", f"        xmax = {duration_s} ", f"        intervals: size = {len(rows)} "]
        for place, (start, end, label) in enumerate(rows, start=1):
            lines += [f"        intervals [{place}]:", f"            xmin = {round(start, 6)} "]
            lines += [f"            xmax = {round(end, 6)} ", f'            text = "{label}" ']
    return "\n".join(lines) + "\n"


def align(arguments: argparse.Namespace, output: Path) -> None:
    known = read_dictionary(arguments.dictionary)
    labs = sorted(arguments.corpus.glob("*/*.lab"))
    if not labs:
        sys.exit("NoAlignmentsError: there are no transcripts in the corpus")
    output.mkdir(parents=True, exist_ok=True)
    for place, lab in enumerate(labs):
        if MODE == "some" and place % 3 == 2:
            with (output / "unaligned.txt").open("a", encoding="utf-8") as file:
                file.write(f"{lab.stem}\tBeam too narrow\n")
            continue
        with wave.open(str(lab.with_suffix(".wav"))) as file:
            if (file.getsampwidth(), file.getnchannels()) != (2, 1):
                sys.exit(f"SoundFileError: {lab.stem}")
            duration_s = file.getnframes() / file.getframerate()
        words = normalised(lab.read_text(encoding="utf-8"), known)
        rows = intervals(words, known, duration_s)
        cleanup = getattr(arguments, "cleanup", True)
        tiers = [
            (name, in_convention(each, name == "words", cleanup))
            for name, each in zip(("words", "phones"), rows, strict=True)
        ]
        speaker = f"{lab.parent.name} - " if os.environ.get("STANDIN_MFA_SPEAKER") else ""
        folder = output / lab.parent.name
        folder.mkdir(exist_ok=True)
        text = textgrid([(speaker + name, each) for name, each in tiers], duration_s)
        (folder / f"{lab.stem}.TextGrid").write_text(text, encoding="utf-8")


def misbehave() -> None:
    """End, or never end, as the mode says."""
    if MODE == "fail":
        print("\x1b[31mERROR\x1b[0m    The acoustic model could not be found.")
        sys.exit(1)
    if MODE == "empty":
        print("INFO     The following utterances were ignored due to lack of features")
        sys.exit(0)
    if MODE == "hang":
        print("INFO     Generating MFCCs...", flush=True)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(os.environ["STANDIN_MFA_PIDS"]).write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
        time.sleep(600)


def main() -> None:
    if MODE == "kalpy":
        sys.exit("ModuleNotFoundError: No module named '_kalpy'")
    if MODE == "old" and sys.argv[1:] == ["version"]:
        print("usage: mfa: invalid choice: 'version'", file=sys.stderr)
        sys.exit(2)
    arguments = parser().parse_args()
    if arguments.command == "version":
        print(VERSION)
        return
    misbehave()
    if arguments.command == "validate":
        return
    output = getattr(arguments, "output", None)
    model = getattr(arguments, "output_model_path", None)
    for path in getattr(arguments, "output_paths", []):
        model, output = (path, output) if path.suffix == ".zip" else (model, path)
    align(arguments, output)
    if model is not None:
        model.write_bytes(b"a model")
    calls = os.environ.get("STANDIN_MFA_CALLS")
    if calls:
        with Path(calls).open("a", encoding="utf-8") as file:
            file.write(" ".join(sys.argv[1:]) + "\n")
    print("INFO     Done! Everything took 0.1 seconds")


if __name__ == "__main__":
    main()
