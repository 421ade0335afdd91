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
from speechkd.runner import Context, Item

FPS = 25
_MAX_PICTURE_PIXELS = 2**22


@dataclass(frozen=True)
class Sources:
    """What a worker needs besides a clip.

    size: height and width of a crop in pixels; fixed: one window for a film, else it follows the mouth; seed: the
    talker's.
    """

    corpus: str
    folder: Path | None
    size: tuple[int, int]
    fixed: bool
    seed: int


def run(cfg: Any, ctx: Context) -> None:
    """Write `crops`: per clip "frames" (T, height, width) uint8, and n_frames, speaker, text and fps."""
    manifest = ClipManifest.read(ctx.input("manifest"))
    size = (cfg.video.height, cfg.video.width)
    fixed, seed = cfg.video.window == "fixed", int(cfg.corpus.options.get("seed", 0))
    sources = Sources(cfg.corpus.name, cfg.corpus.dir, size, fixed, seed)
    items = ((clip.id, clip) for clip in manifest.clips)
    ctx.map(crop_clip, items, "crops", common=sources, max_errors=cfg.run.max_errors)


def crop_clip(_id: str, clip: Clip, sources: Sources) -> Item:
    """The crops of one clip. Raises DataError when they cannot be had."""
    frames = _resized(_frames(clip, sources), sources.size)
    meta = {"n_frames": len(frames), "speaker": clip.speaker, "text": clip.text, "fps": FPS}
    return Item({"frames": frames}, meta)


def _frames(clip: Clip, sources: Sources) -> np.ndarray:
    if sources.corpus == "talker":
        return talker_film(clip.id, clip.text, clip.speaker, sources.seed)
    folder = sources.folder or Path()
    if sources.corpus == "grid_packed":
        path, _, n_frames = clip.source.partition("#")
        archive, _, name = path.partition("/")
        return packed_frames(folder / archive, name, int(n_frames))
    if sources.corpus == "lrw1000":
        return _pictures(folder / clip.source, round(clip.words[0][0]), round(clip.words[0][1]), sources.size)
    return crops_of_video(folder / clip.source, sources.size, sources.fixed)


def crops_of_video(path: Path, size: tuple[int, int], fixed: bool) -> np.ndarray:
    """The mouth in a film at 25 frames per second, (T, height, width) uint8. Raises DataError without a face."""
    # Here, because the other corpora need no OpenCV.
    from speechkd.features.mouth.crops import crop_mouths
    from speechkd.features.mouth.tracking import HaarFaces, track_mouth
    from speechkd.features.mouth.video import read_video

    frames = read_video(path, FPS).frames
    return crop_mouths(frames, track_mouth(frames, HaarFaces(), where=str(path)), size, fixed=fixed)


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
