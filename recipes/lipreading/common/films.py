"""Films beside their transcripts, for evaluation: cropped as `speechkd lipread` does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recipes.lipreading.common.corpora.films import read_films
from recipes.lipreading.common.crops import film_item, film_options
from recipes.lipreading.common.manifest import Clip
from speechkd.errors import DataError
from speechkd.features.mouth.films import FilmOptions
from speechkd.runner import Context, Item, ItemStore

Film = tuple[Path, Clip]


def crop_films(cfg: Any, ctx: Context, size: tuple[int, int]) -> ItemStore:
    """The crops of all films in the folders `films`, as of a corpus of films. No film may fail.

    size: height and width of a crop. Films without a transcript are told and left out. DataError for a folder without
    any film that has one.
    """
    films = [(clip.id, (folder, clip)) for folder in cfg.films for clip in known_films(folder, ctx)]
    return ctx.gather(crop_film, films, "films", common=film_options(cfg.video, size))


def known_films(folder: Path, ctx: Context) -> Iterator[Clip]:
    """The films of a folder with their texts."""
    found = read_films(folder)
    for problem in found.problems:
        ctx.log.warning("left out: %s", problem)
    if not found.clips:
        why = "; ".join(found.problems[:3]) or "there is no film in it"
        raise DataError("no film with a transcript", where=str(folder), why=why)
    yield from found.clips


def crop_film(_id: str, film: Film, how: FilmOptions) -> Item:
    """The crops of one film. DataError when it cannot be used."""
    folder, clip = film
    return film_item(folder / clip.source, clip.text, clip.speaker, how)
