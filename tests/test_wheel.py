"""The wheel holds what speaking and the recipes need, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build", reason="builds the wheel")

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("speechkd", "recipes", "setup.py", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files in a wheel that is built of a copy."""
    work = tmp_path_factory.mktemp("wheel")
    (work / "source").mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, work / "source" / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / part, work / "source" / part)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(work / "dist")]
    subprocess.run([*command, str(work / "source")], check=True, capture_output=True)
    with zipfile.ZipFile(next((work / "dist").glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_every_module_and_every_file_that_is_read_is_in_it(names: set[str]) -> None:
    for package in ("speechkd", "recipes"):
        files = [path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        missing = {path.relative_to(ROOT).as_posix() for path in files} - names
        assert not missing, sorted(missing)


def test_nothing_else_is(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"speechkd", "recipes"}
