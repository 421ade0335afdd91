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
    from speechkd.align.types import AlignInput
    from speechkd.text import Frontend

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
    language: Annotated[
        str, typer.Option(help="en-us, or a language by espeak-ng's name (not pocketsphinx).")
    ] = "en-us",
    corpus: Annotated[
        str | None, typer.Option(help="Layout of CORPUS (see: speechkd data list). [default: the one found]")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    compare: Annotated[bool, typer.Option("--compare", help="Compare two folders of TextGrids instead.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw pauses and the strangest utterances to this PNG; with --compare: the worst ones."),
    ] = None,
    worst: Annotated[int, typer.Option(min=1, max=50, help="With --picture: how many.")] = 10,
    audio: Annotated[Path | None, typer.Option(help="With --compare --picture: folder of the recordings.")] = None,
) -> None:
    """Align CORPUS and write one TextGrid per utterance to OUT; exits with 3 when some fail (see failures.jsonl)."""
    console = Console(highlight=False, soft_wrap=True)
    given_values = {"--given": given, "--mfa-model": mfa_model, "--model": model, "--attention": attention}
    if compare:
        from speechkd.cli.align_report import show_comparison

        others = {"--lexicon": lexicon, "--corpus": corpus, "--language": language if language != "en-us" else None}
        _refuse_with_compare(given_values | others)
        show_comparison(console, source, out, picture, worst, audio)
        return
    from speechkd.text import make_frontend

    _refuse(audio, backend, language)
    options = _options(backend, given_values)
    _protect(given, out)
    inputs, unread = _read(source, corpus, make_frontend(language, lexicon))
    failures, notes = _align_all(inputs, unread, out, options, jobs)
    total = len(inputs) + len(unread)
    console.print(f"{total - len(failures)} of {total} aligned to {out}", markup=False)
    if notes:
        console.print(f"{len(notes)} with a note: see {out / NOTES}", markup=False)
    if failures:
        console.print(f"{len(failures)} failed: see {out / FAILURES}", markup=False)
    if picture and len(failures) < total:
        from speechkd.cli.align_report import show_inspection

        show_inspection(console, out, picture, worst, {each.id: each.audio_path for each in inputs})
    if failures:
        raise typer.Exit(3)


def _refuse_with_compare(values: dict[str, Path | str | None]) -> None:
    """UsageError for what only aligning needs: a comparison would pass it over."""
    from speechkd.errors import UsageError

    if strangers := [name for name, value in values.items() if value is not None]:
        raise UsageError(f"{strangers[0]} does not belong to --compare", todo="Leave it out.")


def _protect(given: Path | None, out: Path) -> None:
    """UsageError when the user's own files would be written over."""
    from speechkd.errors import UsageError

    if given is not None and out.resolve() in (given.resolve(), *given.resolve().parents):
        todo = "Choose another folder for OUT."
        raise UsageError(
            "OUT is where the given alignments lie, which would be written over", where=str(out), todo=todo
        )


def _refuse(audio: Path | None, backend: str, language: str) -> None:
    """UsageError for what does not go together."""
    from speechkd.errors import UsageError
    from speechkd.text import is_english

    if audio is not None:
        raise UsageError("--audio belongs to a comparison", todo="Add --compare.")
    if backend in ("pocketsphinx", "mfa") and not is_english(language):
        # MFA's models for other languages have their own phones, not espeak-ng's.
        raise UsageError(f"{backend} hears English only, not {language!r}", todo="Choose --backend mas.")


def _options(backend: str, values: dict[str, Path | str | None]) -> AlignOptions:
    """The backend's options from the command line; UsageError for an option of another backend or one missing."""
    from pydantic import TypeAdapter, ValidationError

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
    try:
        options: AlignOptions = TypeAdapter(AlignOptions).validate_python(chosen)
        problems = [message for _, message in options.problems()]
    except ValidationError as error:
        problems = [each["msg"] for each in error.errors()]
    if problems:
        raise UsageError(f"Backend {backend} cannot be used like this", why=problems[0])
    return options


def _read(source: Path, corpus: str | None, frontend: Frontend) -> tuple[list[AlignInput], list[Failure]]:
    """The utterances of a corpus with their tokens, and the lines that cannot be used."""
    from recipes.tts.common.corpora import guess_corpus, known_kind, read_corpus
    from speechkd.align.corpus import Failure, read_texts
    from speechkd.data.corpus import Severity

    name = corpus or guess_corpus(source)
    known_kind(name)
    found = read_corpus(name, source)
    unusable = [Failure(p.id, str(p)) for p in found.problems if p.severity is Severity.ERROR]
    rows = [(each.id, each.text, each.audio_path, each.speaker or name) for each in found.utterances]
    inputs, unread = read_texts(rows, frontend)
    return inputs, unusable + unread


def _align_all(
    inputs: list[AlignInput], unread: list[Failure], out: Path, options: AlignOptions, jobs: int
) -> tuple[list[Failure], list[Note]]:
    """Align what can be aligned, and write down what could not, or not in the usual way."""
    from rich.progress import Progress

    from recipes.tts.common.aligners import prepared
    from speechkd.align.corpus import Failure, Note, align_corpus

    ready = prepared(options, inputs, out / options.backend, jobs, logging.getLogger("speechkd.align"))
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("aligning", total=len(inputs))
        remarks = align_corpus(inputs, out, ready, jobs, lambda: bar.advance(task))
    for each in unread:
        if each.id:
            (out / f"{each.id}.TextGrid").unlink(missing_ok=True)  # of an earlier run
    failures = [*unread, *(each for each in remarks if isinstance(each, Failure))]
    notes = [each for each in remarks if isinstance(each, Note)]
    _write_lines(out / FAILURES, failures)
    _write_lines(out / NOTES, notes)
    return failures, notes


def _write_lines(path: Path, rows: Sequence[Failure | Note]) -> None:
    lines = [json.dumps(vars(row), ensure_ascii=False, sort_keys=True) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
