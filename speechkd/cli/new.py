"""`speechkd new`: an experiment folder for your own recordings."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from speechkd.errors import DataError, UsageError

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BASE_CONFIG = "tts/fastspeech2/conf/small.yaml"


def new(
    name: Annotated[str, typer.Argument(help="What the experiment and its voice are called.", show_default=False)],
    corpus: Annotated[
        Path, typer.Option(help="Your recordings: metadata.csv (id|text) and wavs/<id>.wav.", show_default=False)
    ],
    folder: Annotated[Path, typer.Option(help="Where the experiment folder is made.")] = Path("egs"),
) -> None:
    """Start an experiment on your own recordings: writes a run script and a configuration to edit."""
    target = _checked_target(name, folder)
    _check_corpus(corpus)
    conf = target / "conf" / "fastspeech2.yaml"
    conf.parent.mkdir(parents=True)
    run_dir = folder.absolute().parent / "exp" / name / "tts1"
    # JSON strings are YAML strings too, whatever the path holds.
    values = {
        "name": json.dumps(name),
        "corpus": json.dumps(os.path.abspath(corpus), ensure_ascii=False),
        "base": json.dumps(_base_config(conf.parent), ensure_ascii=False),
        "run_dir": json.dumps(os.path.relpath(run_dir, conf.parent.absolute()), ensure_ascii=False),
    }
    conf.write_text(Template(_template("fastspeech2.yaml.txt")).substitute(values), encoding="utf-8")
    script = target / "run.sh"
    # The program that made the experiment runs it, wherever the folder lies; a .venv of the project goes first.
    program = shlex.quote(str(Path(sys.executable).parent))
    script.write_text(_template("run.sh.txt").replace("@BIN@", program), encoding="utf-8")
    script.chmod(0o755)
    typer.echo(f"{conf}: look through it, then type: {script}")


def _checked_target(name: str, folder: Path) -> Path:
    if not _NAME.fullmatch(name) or name.startswith((".", "-")):
        raise UsageError(f"{name!r} is not a name", why="names hold letters, digits and . _ -, at most 64")
    target = folder / name / "tts1"
    if target.exists():
        raise UsageError("this experiment exists already", where=str(target), todo="Choose another name")
    return target


def _check_corpus(corpus: Path) -> None:
    """What can be seen at a glance; the prepare stage looks at every recording."""
    for part in (corpus / "metadata.csv", corpus / "wavs"):
        if not part.exists():
            raise DataError(
                "not a corpus folder", where=str(corpus), why=f"{part.name} is missing",
                todo="It needs metadata.csv with lines `id|text` and the recordings as wavs/<id>.wav",
            )  # fmt: skip


def _base_config(folder: Path) -> str:
    """The path of the recipe's own configuration, as written in a file of `folder`."""
    import recipes

    return os.path.relpath(Path(recipes.__path__[0]) / _BASE_CONFIG, folder.absolute())


def _template(name: str) -> str:
    return resources.files("speechkd.cli").joinpath("templates", name).read_text(encoding="utf-8")
