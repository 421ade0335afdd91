"""Mouth crops of every clip, from films, from ready pictures or generated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from recipes.lipreading.common.corpora.packed import packed_frames
from recipes.lipreading.common.manifest import Clip, ClipManifest
from speechkd.data.talker import talker_film
from speechkd.errors import DataError
from speechkd.features.mouth.films import FilmOptions, film_mouth
from speechkd.runner import Context, Item

FPS = 25
#: Corpora whose clips are mouths already; the others need OpenCV.
_READY = ("talker", "grid_packed", "lrw1000")
_MAX_PICTURE_PIXELS = 2**22


@dataclass(frozen=True)
class Sources:
    """What a worker needs besides a clip. video: how films become crops, and the size of a crop; seed: the talker's."""

    corpus: str
    folder: Path
    video: FilmOptions
    seed: int

    @property
    def films(self) -> bool:
        """Whether the clips are films, in which the mouth must be found."""
        return self.corpus not in _READY


def run(cfg: Any, ctx: Context) -> None:
    """Write `crops`: per clip "frames" (T, height, width) uint8, and n_frames, speaker, text and fps; of films also
    the frames in which the face was `lost`, and how many are `missing` at the end.
    """
    manifest = ClipManifest.read(ctx.input("manifest"))
    items = ((clip.id, clip) for clip in manifest.clips)
    ctx.map(crop_clip, items, "crops", common=sources_of(cfg), max_errors=cfg.run.max_errors)


def sources_of(cfg: Any) -> Sources:
    """What the configuration says of the clips."""
    seed, size = int(cfg.corpus.options.get("seed", 0)), (cfg.video.height, cfg.video.width)
    return Sources(cfg.corpus.name, cfg.corpus.dir or Path(), film_options(cfg.video, size), seed)


def film_options(video: Any, size: tuple[int, int]) -> FilmOptions:
    """What the section `video` says of films, for crops of this size (height, width)."""
    return FilmOptions(size, video.window == "fixed", video.resample, video.keep_broken, video.most_lost)


def crop_clip(_id: str, clip: Clip, sources: Sources) -> Item:
    """The crops of one clip. Raises DataError when they cannot be had."""
    if sources.films:
        return film_item(sources.folder / clip.source, clip.text, clip.speaker, sources.video)
    frames = ready_crops(clip, sources)
    return Item({"frames": frames}, _meta(frames, clip.speaker, clip.text))


def film_item(path: Path, text: str, speaker: str, video: FilmOptions) -> Item:
    """The crops of a film, and what is not as it should be in it. DataError when it cannot be used."""
    film = film_mouth(path, video)
    notes = {"lost": [list(span) for span in film.track.lost], "missing": film.video.missing_frames}
    return Item({"frames": film.crops}, _meta(film.crops, speaker, text) | notes)


def _meta(frames: np.ndarray, speaker: str, text: str) -> dict[str, Any]:
    return {"n_frames": len(frames), "speaker": speaker, "text": text, "fps": FPS}


def ready_crops(clip: Clip, sources: Sources) -> np.ndarray:
    """The crops of a clip of a corpus without films, in the wanted size."""
    return _resized(_pictured(clip, sources), sources.video.size)


def _pictured(clip: Clip, sources: Sources) -> np.ndarray:
    if sources.corpus == "talker":
        return talker_film(clip.id, clip.text, clip.speaker, sources.seed)
    if sources.corpus == "grid_packed":
        path, _, n_frames = clip.source.partition("#")
        archive, _, name = path.partition("/")
        return packed_frames(sources.folder / archive, name, int(n_frames))
    first, end = (round(place) for place in clip.words[0][:2])
    return _pictures(sources.folder / clip.source, first, end, sources.video.size)


def _pictures(folder: Path, start: int, end: int, size: tuple[int, int]) -> np.ndarray:
    """Pictures start + 1 to end of a folder, those that are there: a window may pass the ends of a film."""
    paths = [path for path in (folder / f"{number + 1}.jpg" for number in range(start, end)) if path.is_file()]
    if not paths:
        raise DataError("no picture of the word", where=str(folder), why=f"none from {start + 1}.jpg to {end}.jpg")
    return np.stack([_picture(path, size) for path in paths])


def _picture(path: Path, size: tuple[int, int]) -> np.ndarray:
    try:
        with Image.open(path, formats=("JPEG",)) as image:
            if image.width * image.height > _MAX_PICTURE_PIXELS:
                raise DataError("Picture refused", where=str(path), why=f"{image.width} x {image.height} pixels")
            return np.asarray(image.convert("L").resize(size[::-1], Image.Resampling.BILINEAR))
    except (OSError, SyntaxError) as error:
        raise DataError("Picture cannot be read", where=str(path), why=str(error)) from error


def _resized(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if not len(frames):
        raise DataError("the film has no frames")
    if frames.shape[1:] == size:
        return frames
    pictures = (Image.fromarray(frame).resize(size[::-1], Image.Resampling.BILINEAR) for frame in frames)
    return np.stack([np.asarray(picture) for picture in pictures])
