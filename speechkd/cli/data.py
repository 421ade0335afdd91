"""`speechkd data`: look at a corpus before it is used, and fetch those that can be downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, help="Check corpora and download them.")

_DEFAULT_CACHE = Path("~/.cache/speechkd/corpora")


@app.command()
def validate(
    folder: Annotated[Path, typer.Argument(help="Corpus folder: metadata.csv and wavs/.")],
    json: Annotated[Path | None, typer.Option(help="Write the report to this file as JSON, too.")] = None,
    corpus: Annotated[str, typer.Option(help="Name of the corpus layout.")] = "ljspeech",
    jobs: Annotated[int, typer.Option(min=1, help="Recordings decoded at the same time.")] = 1,
    max_lines: Annotated[int, typer.Option(min=1, help="Problems to print; the JSON has all.")] = 1000,
) -> None:
    """Report everything that is wrong with a corpus in one pass. Exits with 3 when there are errors."""
    from recipes.tts.common.corpora import read_corpus
    from speechkd.data.validate import validate_corpus

    found = read_corpus(corpus, folder)
    with _bar() as bar:
        task = bar.add_task("decoding", total=len(found.utterances))
        report = validate_corpus(found, jobs=jobs, on_done=lambda: bar.advance(task))
    Console(highlight=False, soft_wrap=True).print(report.to_text(max_lines), markup=False)
    if json:
        report.write_json(json)
    if report.errors:
        raise typer.Exit(3)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Name of the corpus, such as ljspeech.")],
    to: Annotated[Path, typer.Option(help="Folder to keep corpora in.")] = _DEFAULT_CACHE,
) -> None:
    """Download and unpack a corpus. An interrupted download is continued by the same command."""
    from recipes.tts.common.corpora import CORPORA, locate
    from speechkd.errors import UsageError

    if name not in CORPORA:
        known = ", ".join(sorted(CORPORA))
        raise UsageError(f"No download is known for {name!r}", todo=f"Known: {known}. Others: bring your own folder.")
    with _bar(transfer=True) as bar:
        task = bar.add_task(name, total=None)
        folder = locate(name, None, to.expanduser(), lambda done, total: bar.update(task, completed=done, total=total))
    Console(highlight=False, soft_wrap=True).print(str(folder), markup=False)


def _bar(transfer: bool = False):  # type: ignore[no-untyped-def]  # rich is imported when a bar is shown
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if transfer else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
