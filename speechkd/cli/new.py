"""`speechkd new`: an experiment folder for your own recordings or for a corpus that is known by name."""

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

from speechkd.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BASE_CONFIG = "tts/fastspeech2/conf/small.yaml"


def new(
    name: Annotated[str, typer.Argument(help="What the experiment and its voice are called.", show_default=False)],
    corpus: Annotated[
        Path | None, typer.Option(help="Its folder; not needed where a download is known.", show_default=False)
    ] = None,
    layout: Annotated[str, typer.Option(help="Which corpus it is (see: data list); found out if not given.")] = "",
    folder: Annotated[Path, typer.Option(help="Where the experiment folder is made.")] = Path("egs"),
) -> None:
    """Start an experiment on your own recordings, or on a known corpus: writes a run script and a configuration."""
    target = _checked_target(name, folder)
    kind_name = _checked_corpus(corpus, layout)
    conf = target / "conf" / "fastspeech2.yaml"
    conf.parent.mkdir(parents=True)
    run_dir = folder.absolute().parent / "exp" / name / "fastspeech2"
    # JSON strings are YAML strings too, whatever the path holds.
    values = {
        "name": json.dumps(name),
        **_corpus_values(name, kind_name, corpus),
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


def _checked_corpus(corpus: Path | None, layout: str) -> str:
    """The name of the corpus. What can be seen at a glance is checked; the prepare stage looks at every recording."""
    from recipes.tts.common.corpora import CORPORA, guess_corpus, known_kind

    kind = known_kind(layout) if layout else None
    if corpus is None:
        if kind is None or kind.archive is None:
            known = ", ".join(each for each, kind in CORPORA.items() if kind.archive)
            todo = f"Add --corpus FOLDER. Without a folder: --layout {known}"
            raise UsageError("which recordings?", why="no folder is given and no download is known", todo=todo)
        return layout
    name = layout or guess_corpus(corpus)
    form = known_kind(name).layout
    if form is not None:
        form.check(name, corpus)
    return name


def _corpus_values(name: str, kind_name: str, corpus: Path | None) -> dict[str, str]:
    """What the configuration says of the corpus. LJSpeech's layout is anybody's, unless it is downloaded."""
    from recipes.tts.common.corpora import CorpusKind, known_kind

    own = kind_name == "folder" or (kind_name == "ljspeech" and corpus is not None)
    kind = CorpusKind(known_kind(kind_name).read, title=name) if own else known_kind(kind_name)
    lines = [f"  dir: {json.dumps(os.path.abspath(corpus), ensure_ascii=False)}\n"] if corpus is not None else []
    return {
        "corpus_name": json.dumps(name if own and kind_name == "ljspeech" else kind_name),
        "corpus_dir": "".join(lines),
        "title": json.dumps(kind.title),
        "speaker": json.dumps(kind.speaker),
        "licence": json.dumps(kind.licence),
    }


def _base_config(folder: Path) -> str:
    """The path of the recipe's own configuration, as written in a file of `folder`."""
    import recipes

    return os.path.relpath(Path(recipes.__path__[0]) / _BASE_CONFIG, folder.absolute())


def _template(name: str) -> str:
    return resources.files("speechkd.cli").joinpath("templates", name).read_text(encoding="utf-8")
