"""`speechkd align`: when every word and phone of a corpus is said, as TextGrids."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from speechkd.align.corpus import Failure, Note
    from speechkd.align.options import AlignOptions

FAILURES = "failures.jsonl"
NOTES = "notes.jsonl"

#: Which option belongs to which backend, and under which name its options know it.
_BACKENDS: dict[str, dict[str, str]] = {
    "pocketsphinx": {},
    "mfa": {"--mfa-model": "acoustic_model"},
    "attention": {"--attention": "folder"},
    "mas": {"--model": "model"},
    "given": {"--given": "folder"},
}


def align(
    source: Annotated[Path, typer.Argument(metavar="CORPUS", help="Corpus folder (with --compare: TextGrids).")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the TextGrids (with --compare: others).")],
    backend: Annotated[
        str, typer.Option(help="pocketsphinx, mfa, attention, mas, or given (alignments that you bring).")
    ] = "pocketsphinx",
    given: Annotated[Path | None, typer.Option(help="Your alignments, for --backend given.")] = None,
    mfa_model: Annotated[str | None, typer.Option(help="Acoustic model, for --backend mfa.")] = None,
    model: Annotated[Path | None, typer.Option(help="Trained aligner, for --backend mas; else one is trained.")] = None,
    attention: Annotated[Path | None, typer.Option(help="Stored attention, for --backend attention.")] = None,
    lexicon: Annotated[Path | None, typer.Option(help="Your own pronunciations.")] = None,
    corpus: Annotated[str, typer.Option(help="Name of the corpus layout.")] = "ljspeech",
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    compare: Annotated[bool, typer.Option("--compare", help="Compare two folders of TextGrids instead.")] = False,
    picture: Annotated[Path | None, typer.Option(help="With --compare: draw the worst utterances to this PNG.")] = None,
    worst: Annotated[int, typer.Option(min=1, max=50, help="With --picture: how many.")] = 6,
    audio: Annotated[Path | None, typer.Option(help="With --picture: folder of the recordings.")] = None,
) -> None:
    """Align CORPUS and write one TextGrid per utterance to OUT; exits with 3 when some fail (see failures.jsonl)."""
    console = Console(highlight=False, soft_wrap=True)
    if compare:
        from speechkd.cli.align_report import show_comparison

        show_comparison(console, source, out, picture, worst, audio)
        return
    _refuse_picture(picture, audio)
    given_values = {"--given": given, "--mfa-model": mfa_model, "--model": model, "--attention": attention}
    options = _options(backend, given_values)
    failures, notes, total = _align_corpus(source, out, options, corpus, jobs, lexicon)
    console.print(f"{total - len(failures)} of {total} aligned to {out}", markup=False)
    if notes:
        console.print(f"{len(notes)} with a note: see {out / NOTES}", markup=False)
    if failures:
        console.print(f"{len(failures)} failed: see {out / FAILURES}", markup=False)
        raise typer.Exit(3)


def _refuse_picture(picture: Path | None, audio: Path | None) -> None:
    from speechkd.errors import UsageError

    if picture is not None or audio is not None:
        raise UsageError("--picture and --audio belong to a comparison", todo="Add --compare.")


def _options(backend: str, values: dict[str, Path | str | None]) -> AlignOptions:
    """The backend's options from the command line; UsageError for an option of another backend or one missing."""
    from pydantic import TypeAdapter

    from speechkd.align.options import AlignOptions
    from speechkd.errors import UsageError

    if backend not in _BACKENDS:
        raise UsageError(f"No aligner is called {backend!r}", todo=f"Choose one of {', '.join(_BACKENDS)}.")
    own = _BACKENDS[backend]
    if strangers := [name for name, value in values.items() if value is not None and name not in own]:
        raise UsageError(f"{strangers[0]} does not belong to backend {backend}")
    chosen: dict[str, Any] = {"backend": backend}
    for name, key in own.items():
        value = values[name]
        if value is None and key == "folder":
            raise UsageError(f"Backend {backend} needs a folder", todo=f"Add {name} FOLDER.")
        if value is not None:
            chosen[key] = value.absolute() if isinstance(value, Path) else value
    options: AlignOptions = TypeAdapter(AlignOptions).validate_python(chosen)
    return options


def _align_corpus(
    source: Path, out: Path, options: AlignOptions, corpus: str, jobs: int, lexicon: Path | None
) -> tuple[list[Failure], list[Note], int]:
    """Align what can be aligned; (failures, notes, all), where lines that cannot be read count as failed."""
    from rich.progress import Progress

    from recipes.tts.common.aligners import prepared
    from recipes.tts.common.corpora import read_corpus
    from speechkd.align.corpus import Failure, Note, align_corpus, read_texts
    from speechkd.data.corpus import Severity

    found = read_corpus(corpus, source)
    unusable = [Failure(p.id, str(p)) for p in found.problems if p.severity is Severity.ERROR]
    rows = [(each.id, each.text, each.audio_path, each.speaker or corpus) for each in found.utterances]
    inputs, unread = read_texts(rows, lexicon)
    ready = prepared(options, inputs, out / options.backend, jobs, logging.getLogger("speechkd.align"))
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("aligning", total=len(inputs))
        remarks = align_corpus(inputs, out, ready, jobs, lambda: bar.advance(task))
    failures = [*unusable, *unread, *(each for each in remarks if isinstance(each, Failure))]
    notes = [each for each in remarks if isinstance(each, Note)]
    _write_lines(out / FAILURES, failures)
    _write_lines(out / NOTES, notes)
    return failures, notes, len(rows) + len(unusable)


def _write_lines(path: Path, rows: Sequence[Failure | Note]) -> None:
    lines = [json.dumps(vars(row), ensure_ascii=False, sort_keys=True) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
