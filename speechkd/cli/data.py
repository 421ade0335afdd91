"""`speechkd data`: look at a corpus before it is used, and fetch those that can be downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from speechkd.cli.shar import shar

app = typer.Typer(no_args_is_help=True, help="Check corpora and download them.")
app.command()(shar)

_DEFAULT_CACHE = Path("~/.cache/speechkd/corpora")


@app.command()
def validate(
    folder: Annotated[Path, typer.Argument(help="Corpus folder.")],
    corpus: Annotated[str, typer.Option(help="Name of the corpus (see: data list); found out if not given.")] = "",
    json: Annotated[Path | None, typer.Option(help="Write the report to this file as JSON, too.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report to this file as a web page, too.")] = None,
    alignment: Annotated[Path | None, typer.Option(help="Folder of TextGrids to check with the corpus.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="An option of the corpus, such as mic=mic2.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Recordings decoded at the same time.")] = 1,
    max_lines: Annotated[int, typer.Option(min=1, help="Problems to print; the files have all.")] = 200,
) -> None:
    """Report everything that is wrong with a corpus in one pass. Exits with 3 when there are errors."""
    from recipes.tts.common.corpora import guess_corpus, known_kind, read_corpus
    from speechkd.data.validate import validate_corpus

    name = corpus or guess_corpus(folder)
    known_kind(name)
    found = read_corpus(name, folder, _options(option or []))
    with _bar() as bar:
        task = bar.add_task("decoding", total=len(found.utterances))
        report = validate_corpus(found, jobs=jobs, on_done=lambda: bar.advance(task))
    if alignment:
        from recipes.tts.common.corpora.alignments import check_alignments

        report = report.with_problems(check_alignments(alignment, found, report.facts))
    _print(report.to_text(max_lines))
    if json:
        report.write_json(json)
    if html:
        from speechkd.data.report_html import write_html

        write_html(report, html)
    if report.errors:
        raise typer.Exit(3)


def _options(given: list[str]) -> dict[str, str]:
    """Options as NAME=VALUE."""
    from speechkd.errors import UsageError

    for text in given:
        if "=" not in text:
            raise UsageError(f"{text!r} is no option of a corpus", todo="Write it as NAME=VALUE, such as mic=mic2.")
    return {name: value for name, _, value in (text.partition("=") for text in given)}


def _print(text: str) -> None:
    """To the screen as it is: file names and transcripts are no markup."""
    Console(highlight=False, soft_wrap=True).print(text, markup=False, emoji=False)


@app.command("list")
def list_corpora() -> None:
    """List the corpora that are known by name."""
    from rich.table import Table

    from recipes.tts.common.corpora import CORPORA

    table = Table("name", "corpus", "size", "download", box=None)
    for name, kind in CORPORA.items():
        table.add_row(name, kind.title, kind.size, "yes" if kind.archive else "")
    Console(highlight=False).print(table)


@app.command()
def layout(name: Annotated[str, typer.Argument(help="Name of the corpus, such as vctk.")]) -> None:
    """Show what the folder of a corpus looks like, and the options of its reader."""
    from recipes.tts.common.corpora import known_kind

    kind = known_kind(name)
    lines = [kind.layout.tree] if kind.layout else []
    lines += ["", "options:"] if kind.options else []
    lines += [f"  {option}: {meaning}" for option, meaning in kind.options.items()]
    _print("\n".join(lines))


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Name of the corpus, such as ljspeech.")],
    to: Annotated[Path, typer.Option(help="Folder to keep corpora in.")] = _DEFAULT_CACHE,
) -> None:
    """Download and unpack a corpus. An interrupted download is continued by the same command."""
    from recipes.tts.common.corpora import CORPORA, locate
    from speechkd.errors import UsageError

    if name not in CORPORA or not CORPORA[name].archive:
        known = ", ".join(sorted(each for each, kind in CORPORA.items() if kind.archive))
        raise UsageError(f"No download is known for {name!r}", todo=f"Known: {known}. Others: bring your own folder.")
    with _bar(transfer=True) as bar:
        task = bar.add_task(name, total=None)
        folder = locate(name, None, to.expanduser(), lambda done, total: bar.update(task, completed=done, total=total))
    _print(str(folder))


def _bar(transfer: bool = False):  # type: ignore[no-untyped-def]  # rich is imported when a bar is shown
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if transfer else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
