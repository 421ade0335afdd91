"""`speechkd lipread`: what is said in films, from the lips alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechkd.errors import DataError, UsageError

if TYPE_CHECKING:
    from speechkd.models.lipreading.films import FilmReading

WINDOWS = ("fixed", "moving")


def lipread(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO", help="Films of one speaker seen from the front.")],
    model: Annotated[Path, typer.Option(help="Folder `model` of a finished run of lipreading/pcpg.")],
    beam: Annotated[int, typer.Option(min=1, help="Width of the beam; 1 reads greedily.")] = 5,
    subtitles: Annotated[
        Path | None,
        typer.Option(help="Write a grey copy with the words and the mouth's window: .mp4, .avi.", show_default=False),
    ] = None,
    window: Annotated[
        str, typer.Option(help="fixed or moving: the mouth's window, as video.window was in training.")
    ] = "fixed",
    resample: Annotated[bool, typer.Option("--resample", help="Take films of other rates than 25 a second.")] = False,
    keep_broken: Annotated[
        bool, typer.Option("--keep-broken", help="Take what is left of films that end too early.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each film, with times.")] = False,
) -> None:
    """Read the lips of each VIDEO and print the text with the confidence of each word.

    Frames in which the face was lost are listed. Exits with 2 for a wrong request, 3 when a film cannot be read
    (broken, without frames or a face, of another rate, sound alone), 5 when the folder holds no lip reader.
    """
    from speechkd.features.mouth.films import FilmOptions
    from speechkd.models.lipreading.films import FilmReader

    _refuse(videos, subtitles, window)
    how = FilmOptions(fixed=window == "fixed", resample=resample, keep_broken=keep_broken)
    reader = FilmReader(model, beam, how)
    failed = 0
    for path in videos:
        try:
            found = reader.read(path)
        except DataError as error:
            if len(videos) == 1:
                raise
            failed += 1
            print(f"error: {error}", file=sys.stderr)
            continue
        print(json.dumps(_row(path, found), ensure_ascii=False) if as_json else _lines(path, found), flush=True)
        if subtitles is not None:
            found.write_subtitles(subtitles)
    if failed:
        raise typer.Exit(DataError.exit_code)


def _refuse(videos: list[Path], subtitles: Path | None, window: str) -> None:
    """UsageError for what cannot be asked for."""
    from speechkd.features.mouth.preview import check_film_path

    if window not in WINDOWS:
        raise UsageError(f"there is no window {window!r}", todo=f"Choose from {', '.join(WINDOWS)}")
    if subtitles is None:
        return
    check_film_path(subtitles)
    if len(videos) > 1:
        raise UsageError("--subtitles writes one film", why=f"{len(videos)} were given", todo="Give one VIDEO")
    if subtitles.resolve() == videos[0].resolve():
        raise UsageError("the copy would replace the film", where=str(subtitles), todo="Use another name")


def _lines(path: Path, found: FilmReading) -> str:
    words = ", ".join(f"{word.word} {word.confidence:.2f}" for word in found.reading.words)
    lines = (words or "no word was read", *found.film.notes)
    return "\n".join([f"{path}: {found.reading.text}", *(f"  {line}" for line in lines)])


def _row(path: Path, found: FilmReading) -> dict[str, Any]:
    words = [
        {"word": word, "confidence": round(read.confidence, 4), "start_s": round(start_s, 3), "end_s": round(end_s, 3)}
        for read, (start_s, end_s, word) in zip(found.reading.words, found.times, strict=True)
    ]
    film = found.film
    return {
        "video": str(path),
        "text": found.reading.text,
        "words": words,
        "n_frames": len(film.crops),
        "lost_frames": film.track.lost,
        "missing_frames": film.video.missing_frames,
    }
