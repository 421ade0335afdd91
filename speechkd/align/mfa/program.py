"""Finding MFA, asking for its version, and what each version wants on its command line."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speechkd.align.options import MfaOptions
from speechkd.errors import ResourceError, StageError

_INSTALL = "Type: tools/install_mfa.sh, or give the program as align.executable."

#: Importing MFA takes its Python many seconds on a slow disk.
_VERSION_TIMEOUT_S = 180.0

#: What a stopped program gets to clean up before it is killed.
_GRACE_S = 5.0


@dataclass(frozen=True)
class Program:
    """MFA on this machine. `version` is (major, minor, patch), of a pre-release that before it: 2.0.0a22 is 1.9.9."""

    path: Path
    version: tuple[int, int, int]
    version_text: str


def find_program(options: MfaOptions) -> Program:
    """The program that the options name. Raises `ResourceError` with what to type when it is missing or broken."""
    path = _locate(options.executable)
    text = _ask_version(path)
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?(a|b|rc|\.?dev)?", text)
    if found is None:
        # A build without version file prints None: it can only be a recent one, installed from source.
        return Program(path, (99, 0, 0), text or "unknown")
    major, minor, patch = int(found[1]), int(found[2]), int(found[3] or 0)
    before_2 = (major, minor, patch) == (2, 0, 0) and found[4] in ("a", "b", "rc")
    return Program(path, (1, 9, 9) if before_2 else (major, minor, patch), found[0])


def _locate(executable: str) -> Path:
    given = Path(executable).expanduser()
    candidates = [given / "bin" / "mfa", given / "mfa"] if given.is_dir() else [given]
    for candidate in candidates:
        if os.sep in str(candidate) and candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    on_path = shutil.which(executable) if os.sep not in executable else None
    if on_path is None:
        why = f"{executable} is not a program" + ("" if os.sep in executable else " on PATH")
        raise ResourceError("Montreal Forced Aligner not found", why=why, todo=_INSTALL)
    return Path(on_path).absolute()


def _ask_version(path: Path) -> str:
    try:
        answer = subprocess.run(
            [str(path), "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_VERSION_TIMEOUT_S,
            env=program_environment(path),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        why = f"`mfa version` gave no answer in {_VERSION_TIMEOUT_S:g} s"
        raise ResourceError("Montreal Forced Aligner does not start", where=str(path), why=why) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise ResourceError(
            "Montreal Forced Aligner does not start", where=str(path), why=why, todo=_INSTALL
        ) from error
    if answer.returncode:
        why = last_lines(answer.stderr or answer.stdout, 2) or f"exit code {answer.returncode}"
        todo = "A pip installation lacks Kaldi. " + _INSTALL if "kalpy" in why else _INSTALL
        raise ResourceError("Montreal Forced Aligner does not start", where=str(path), why=why, todo=todo)
    return answer.stdout.strip()


def program_environment(path: Path) -> dict[str, str]:
    """The environment for MFA: its own folder first on PATH, since it calls the programs of its conda environment."""
    # Python of the calling environment would shadow that of MFA's.
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return kept | {"PATH": os.pathsep.join([str(path.parent), os.environ.get("PATH", os.defpath)])}


@dataclass(frozen=True)
class Job:
    """What one run reads and writes."""

    corpus: Path
    dictionary: Path
    output: Path
    scratch: Path
    model: Path


def command_line(program: Program, options: MfaOptions, job: Job, jobs: int) -> list[str]:
    """The arguments of `mfa align` or `mfa train`, as the program's version takes them.

    Clean-up of TextGrids is off where it can be: it drops silences and joins words. 3.3.4 and later split words by a
    language model unless told not to.
    """
    version = program.version
    common = ["--clean", "--num_jobs", str(max(jobs, 1))]
    common += ["--temp_directory" if version < (2, 0, 0) else "--temporary_directory", str(job.scratch)]
    if options.config is not None:
        common += ["--config_path", str(options.config)]
    if version >= (2, 0, 0):
        common += ["--overwrite", "--output_format", "long_textgrid"]
        common += ["--disable_textgrid_cleanup"] if version < (2, 1, 0) else ["--no_textgrid_cleanup"]
    if version >= (2, 1, 0) and not options.speaker_adaptation:
        common += ["--single_speaker"]
    if options.train:
        return [str(program.path), "train", str(job.corpus), str(job.dictionary), *_outputs(version, job), *common]
    if version >= (3, 3, 4):
        common += ["--no_tokenization"]
    inputs = [str(job.corpus), str(job.dictionary), options.acoustic_model, str(job.output)]
    return [str(program.path), "align", *inputs, *common]


def _outputs(version: tuple[int, int, int], job: Job) -> list[str]:
    """Where `mfa train` puts model and TextGrids."""
    if version < (2, 0, 0):
        return [str(job.output), "--output_model_path", str(job.model)]
    if version < (2, 1, 0):
        return [str(job.model), str(job.output)]
    return [str(job.model), "--output_directory", str(job.output)]


def run_program(command: Sequence[str], log: Path, timeout_s: float) -> None:
    """Run MFA with all it says in `log`. Raises `StageError` with its last lines when it fails or takes too long.

    Whatever ends the wait (time, Ctrl-C) also ends the program and the processes that it started.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=program_environment(Path(command[0])),
            start_new_session=True,
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            why = f"it was still running after {timeout_s:g} s; it last said: {_said(log)}"
            todo = "Raise align.timeout_h, or give it more jobs."
            raise StageError("MFA took too long", where=str(log), why=why, todo=todo) from error
        finally:
            _stop(process)
    if code:
        todo = "See the log; `mfa model download acoustic NAME` gets a model that is missing."
        raise StageError(f"MFA failed with exit code {code}", where=str(log), why=_said(log), todo=todo)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the program and its children; nothing when it has ended."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_GRACE_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return


def _said(log: Path) -> str:
    return last_lines(log.read_text(encoding="utf-8", errors="replace"), 3) or "nothing"


def last_lines(text: str, count: int) -> str:
    """The last lines that say something, without the frames of boxes and colours of the terminal."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[│╭╮╰╯─┃━┏┓┗┛]+", " ", text.replace("\r", "\n"))
    lines = [" ".join(line.split()) for line in plain.split("\n")]
    return " / ".join([line for line in lines if line][-count:])[-500:]
