#!/usr/bin/env python3
"""Is the package whole? Builds its wheel, installs it where there is nothing yet, and lets its own voice speak there.

    tools/check_wheel.py [--keep FOLDER]

The environment is new, whoever asks for a compiler gets one that fails, and speaking happens in an empty folder,
without torch. Needs the package `build`, and a package index for what the wheel asks for.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VOICES = "speechkd/voices/"
TEXT = "Hello. This is the voice in the box."


def main() -> int:
    """0 if everything went well; what failed says why, and with which exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="a new folder for the wheel and what it says")
    options = parser.parse_args()
    if options.keep is not None and options.keep.exists():
        parser.error(f"{options.keep} is there already")
    with tempfile.TemporaryDirectory(prefix="speechkd_wheel_") as temporary:
        work = Path(temporary)
        wheel = build(work)
        print("\n".join(sizes(wheel)))
        spoken = speak(wheel, work)
        if options.keep is not None:
            options.keep.mkdir(parents=True)
            for each in (wheel, spoken):
                shutil.copy2(each, options.keep)
    return 0


def build(work: Path) -> Path:
    """The wheel, built from a copy of what git knows: nothing that lies about gets in."""
    source = work / "source"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    run([sys.executable, "-m", "build", "--wheel", "--outdir", str(work / "dist"), str(source)])
    return next((work / "dist").glob("*.whl"))


def sizes(wheel: Path) -> list[str]:
    """What the wheel weighs, and the voices in it."""
    with zipfile.ZipFile(wheel) as archive:
        voices = [each for each in archive.infolist() if each.filename.startswith(VOICES)]
    lines = [f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB"]
    for name in sorted({each.filename.removeprefix(VOICES).split("/")[0] for each in voices}):
        size = sum(each.file_size for each in voices if each.filename.startswith(f"{VOICES}{name}/"))
        lines.append(f"voice {name}: {size / 1e6:.2f} MB")
    return lines if len(lines) > 1 else [*lines, "no voice in it"]


def speak(wheel: Path, work: Path) -> Path:
    """Install into an empty environment and speak there; the file."""
    environment, folder = work / "environment", work / "empty"
    folder.mkdir()
    run([sys.executable, "-m", "venv", str(environment)])
    programs = environment / "bin"
    alone = {"PATH": str(programs), "HOME": str(folder), "CC": "/bin/false", "CXX": "/bin/false"}
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    proxies = {name: value for name, value in os.environ.items() if name.upper().startswith(("PIP_", "HTTP", "SSL"))}
    run([str(programs / "python"), *pip, str(wheel)], env=alone | proxies)
    found = run([str(programs / "python"), "-c", "import importlib.util as u; print(u.find_spec('torch'))"], env=alone)
    print(f"torch there: {found.strip()}")
    for _ in range(2):  # the first time Python compiles what it imports
        begin = time.perf_counter()
        said = run([str(programs / "speechkd"), "synthesize", TEXT, "-o", "hello.wav"], env=alone, cwd=folder)
        print(f"{said.strip()}; {time.perf_counter() - begin:.2f} s from start to file")
    return folder / "hello.wav"


def run(command: Sequence[str], env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a command printed; its errors go through."""
    return subprocess.run(command, env=env, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
