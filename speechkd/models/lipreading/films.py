"""Reading films: what was said in a file, when, and how sure that is. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechkd.features.mouth.films import FilmOptions, MouthFilm, film_mouth
from speechkd.features.mouth.preview import TimedWord, burn_subtitles
from speechkd.features.mouth.tracking import HaarFaces
from speechkd.models.lipreading.config import read_config

if TYPE_CHECKING:
    from speechkd.models.lipreading.load import Reader, Reading, ReadWord


@dataclass(frozen=True)
class FilmReading:
    """A film and what was read in it."""

    film: MouthFilm
    reading: Reading

    @property
    def times(self) -> tuple[TimedWord, ...]:
        """Each word with the seconds from and to which it stands in subtitles."""
        fps = self.film.video.fps
        frames = subtitle_frames(self.reading.words, len(self.film.crops))
        return tuple(
            (start / fps, end / fps, word.word) for (start, end), word in zip(frames, self.reading.words, strict=True)
        )

    def write_subtitles(self, path: Path) -> None:
        """A copy of the film with the mouth's window and the words; errors as of `burn_subtitles`."""
        burn_subtitles(self.film.video, self.film.track, self.times, path)


class FilmReader:
    """The lip reader in a folder for films of any size. ArtifactError if there is none.

    Weights are loaded when the first film is whole: what is wrong with a film is said at once.
    """

    def __init__(self, folder: Path, beam_width: int = 5, how: FilmOptions | None = None) -> None:
        crop = read_config(folder).crop
        self.folder, self.beam_width = folder, beam_width
        self.how = replace(how or FilmOptions(), size=(crop.height, crop.width))

    @cached_property
    def _detector(self) -> HaarFaces:
        return HaarFaces()

    @cached_property
    def _reader(self) -> Reader:
        from speechkd.models.lipreading.load import load_reader

        return load_reader(self.folder, self.beam_width)

    def read(self, path: Path) -> FilmReading:
        """What is said in a film. DataError, as of `film_mouth`, for one that cannot be used."""
        film = film_mouth(path, self.how, self._detector)
        return FilmReading(film, self._reader.read(film.crops))


def subtitle_frames(words: Sequence[ReadWord], n_frames: int) -> Iterator[tuple[int, int]]:
    """From which frame to before which each word is shown: until the next one begins, the last until it is said.

    A word without a place stands evenly between those around it. None begins before, or with, the one before it.
    """
    known = [(place, word.start_frame) for place, word in enumerate(words) if word.start_frame is not None]
    places, frames = zip((-1, 0), *known, (len(words), n_frames), strict=True)
    starts: list[int] = []
    for start in np.interp(np.arange(len(words)), places, frames).round().astype(int).tolist():
        starts.append(max(start, starts[-1] + 1) if starts else start)
    if words:
        said = words[-1].end_frame
        starts.append(max(n_frames if said is None else said + 1, starts[-1] + 1))
    return pairwise(starts)
