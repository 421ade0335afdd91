"""The options that all commands have that speak, and what is said while they do."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechkd.errors import DataError, UsageError

if TYPE_CHECKING:
    from speechkd.synthesis.speech import Speech

STANDARD = "-"
VoiceOption = Annotated[
    str | None,
    typer.Option(help="Voice folder or name. Default: $SPEECHKD_VOICE, else the package's own, else the newest."),
]
Speed = Annotated[float, typer.Option(help="Rate of speech, 0.25 to 4.")]
Pitch = Annotated[float, typer.Option(help="Semitones up or down, -12 to 12.")]
Energy = Annotated[float, typer.Option(help="How forcefully, a factor of 0.25 to 4.")]
Volume = Annotated[float, typer.Option(help="How loud, a factor of 0 to 4; it never clips.")]
Pauses = Annotated[float, typer.Option(help="Silences between sentences, a factor of 0 to 4.")]
Speaker = Annotated[
    str | None, typer.Option(help="Who speaks, in a voice of several: see speechkd voices.", show_default=False)
]
Steps = Annotated[
    int | None,
    typer.Option(help="Denoising steps, of a ProDiff voice: fewer are faster.", show_default="all of the voice's"),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same samples.")]
Engine = Annotated[str, typer.Option(help="What runs the networks: onnx, torch, or auto: onnx where the voice has it.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="How many may compute at a time.", show_default="2, or all cores with torch")
]
Ssml = Annotated[bool, typer.Option("--ssml", help="The text is an SSML document.")]
File = Annotated[
    Path | None, typer.Option(help="Text file to speak, UTF-8; - reads standard input.", show_default=False)
]


def read_text(text: str | None, file: Path | None) -> str:
    """The text to speak, from the argument, a UTF-8 file, or standard input (file "-")."""
    if (text is None) == (file is None):
        raise UsageError(
            "give the text to speak, or a file that holds it", todo='Type: speechkd synthesize "Hello world."'
        )
    if file is None:
        return text or ""
    try:
        # Bytes, also from standard input: its own encoding is the locale's.
        raw = sys.stdin.buffer.read() if str(file) == STANDARD else file.read_bytes()
        return raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the text file cannot be read", where=str(file), why=str(error)) from error


def with_progress(pieces: Iterable[Speech], n_characters: int) -> Iterator[Speech]:
    """The pieces themselves; on a terminal, a long text shows how much of its speech is there."""
    # Sentences are said in less time than rich takes to import.
    if n_characters < _LONG or not sys.stderr.isatty():
        yield from pieces
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, said, speech_s = bar.add_task("speaking", total=n_characters), 0, 0.0
        for piece in pieces:
            yield piece
            said += sum(len(word.text) + 1 for word in piece.words)
            speech_s += piece.duration_s
            bar.update(task, completed=min(said, n_characters), description=f"speaking, {speech_s / 60:.1f} min")


_LONG = 2000
