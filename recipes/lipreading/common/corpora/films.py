"""Corpora of films: GRID as published, LRW, LRW-1000 and your own films with a table of texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from recipes.lipreading.common.manifest import Clip, Corpus, Words, normalise_text
from speechkd.errors import DataError

FPS = 25
SUFFIXES = (".mp4", ".mpg", ".mpeg", ".avi", ".mov", ".mkv", ".webm")
_UNITS_PER_FRAME = 1000.0
_LRW_FRAMES = 29
_LRW_PARTS = {"train": "train", "val": "valid", "test": "test"}
_LRW1000_PARTS = {"trn": "train", "val": "valid", "tst": "test"}
_SPEAKER = re.compile(r"s\d{1,2}")
_DURATION = re.compile(r"^Duration:\s*(\d+(?:\.\d+)?)\s*seconds", re.MULTILINE)
_PLAIN = re.compile(r"[\w-][\w .-]*")


def read_grid(folder: Path) -> Corpus:
    """GRID: films sN/**/*.mpg with their align/*.align anywhere below sN. Ids are s1_bbaf2n."""
    clips: list[Clip] = []
    problems: list[str] = []
    aligns = dict(_by_speaker(folder, ".align"))
    for (speaker, name), film in sorted(_by_speaker(folder, ".mpg")):
        id_ = f"{speaker}_{name}"
        try:
            words = read_align(aligns[speaker, name])
        except KeyError:
            problems.append(f"{id_}: has no .align")
        except DataError as error:
            problems.append(f"{id_}: {error.what}: {error.why}")
        else:
            text = " ".join(word for _, _, word in words)
            clips.append(Clip(id_, speaker, text, film.relative_to(folder).as_posix(), words))
    return Corpus(tuple(clips), tuple(problems))


def _by_speaker(folder: Path, suffix: str) -> Iterator[tuple[tuple[str, str], Path]]:
    """Files by speaker and name; the speaker is the nearest folder called s1 … s34."""
    for path in sorted(folder.rglob(f"*{suffix}")):
        parts = path.relative_to(folder).parts[:-1]
        speaker = next((part for part in reversed(parts) if _SPEAKER.fullmatch(part)), None)
        if speaker and not path.name.startswith("."):
            yield (speaker, path.stem), path


def read_align(path: Path) -> Words:
    """The words, without silences, with start and end in frames of 25 to the second. DataError for anything else."""
    rows = [line.split() for line in _text(path).splitlines() if line.strip()]
    try:
        words = [(int(start) / _UNITS_PER_FRAME, int(end) / _UNITS_PER_FRAME, word) for start, end, word in rows]
    except ValueError as error:
        raise DataError("not lines of `start end word`", where=str(path), why=str(error)) from error
    said = tuple((start, end, normalise_text(word)) for start, end, word in words if normalise_text(word))
    if not said or any(start >= end for start, end, _ in said):
        raise DataError("no words, or one that ends before it starts", where=str(path), why="the times are broken")
    return said


def read_lrw(folder: Path) -> Corpus:
    """LRW: WORD/{train,val,test}/WORD_00001.mp4 of 29 frames with the word in the middle; .txt tells its Duration."""
    clips: list[Clip] = []
    problems: list[str] = []
    for film in sorted(folder.glob("*/*/*.mp4")):
        word, part = film.parts[-3], film.parts[-2]
        note = film.with_suffix(".txt")
        found = _DURATION.search(_text(note)) if note.is_file() else None
        if part not in _LRW_PARTS or found is None:
            problems.append(f"{film.stem}: is in no part, or its .txt tells no Duration")
            continue
        half = float(found[1]) * FPS / 2
        spoken = normalise_text(word)
        words = ((_LRW_FRAMES / 2 - half, _LRW_FRAMES / 2 + half, spoken),)
        source = film.relative_to(folder).as_posix()
        clips.append(Clip(f"{part}_{film.stem}", "", spoken, source, words, _LRW_PARTS[part]))
    return Corpus(tuple(clips), tuple(problems))


def read_lrw1000(folder: Path, boundary: str = "exact") -> Corpus:
    """LRW-1000: info/{trn,val,tst}_1000.txt of `folder,word,pinyin,start_s,end_s`; pictures images/folder/1.jpg ….

    The text is the pinyin. boundary: exact, or centred40 for 40 frames about the word, which alone lifts the accuracy
    from 38 to over 55 % (spec R1): compare losses at one of them. `words` holds that window in frames.
    """
    if boundary not in ("exact", "centred40"):
        raise DataError("Unknown boundary", why=boundary, todo="Use exact or centred40.")
    clips: list[Clip] = []
    problems: list[str] = []
    for short, part in _LRW1000_PARTS.items():
        path = folder / "info" / f"{short}_1000.txt"
        for number, line in enumerate(_text(path).splitlines(), start=1):
            cells = [cell.strip() for cell in line.split(",")]
            try:
                pictures, _, pinyin, start_s, end_s = cells
                window = word_window(float(start_s), float(end_s), boundary)
            except ValueError:
                problems.append(f"{path.name}:{number}: is not folder,word,pinyin,start,end")
                continue
            text = normalise_text(pinyin)
            if not text or not _PLAIN.fullmatch(pictures):
                problems.append(f"{path.name}:{number}: no pinyin, or no plain name of a folder")
                continue
            clips.append(Clip(f"{short}_{number:06d}", "", text, f"images/{pictures}", ((*window, text),), part))
    return Corpus(tuple(clips), tuple(problems))


def word_window(start_s: float, end_s: float, boundary: str) -> tuple[float, float]:
    """The first frame and the one after the last, from 0, of a word. ValueError when it ends before it starts."""
    if not 0 <= start_s < end_s:
        raise ValueError("the word ends before it starts")
    if boundary == "exact":
        return float(int(start_s * FPS)), float(-int(-end_s * FPS // 1))
    first = max(0, round((start_s + end_s) * FPS / 2) - 20)
    return float(first), float(first + 40)


def read_video_text(folder: Path) -> Corpus:
    """Your films beside metadata.csv with lines `id|text` or `id|text|speaker`."""
    films = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
    clips: dict[str, Clip] = {}
    problems: list[str] = []
    for number, line in enumerate(_text(folder / "metadata.csv").splitlines(), start=1):
        id_, *cells = (cell.strip() for cell in line.split("|"))
        text = normalise_text(cells[0]) if cells else ""
        if id_ not in films or id_ in clips or not text:
            problems.append(f"metadata.csv:{number}: has no film, no text, or stands there twice")
            continue
        clips[id_] = Clip(id_, cells[1] if len(cells) > 1 else "", text, films[id_].name)
    return Corpus(tuple(clips.values()), tuple(problems))


def read_films(folder: Path) -> Corpus:
    """Films anywhere below a folder, each beside its .align, or a .txt of what is said. Ids are FOLDER_PATH_NAME."""
    clips: list[Clip] = []
    problems: list[str] = []
    for film in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()):
        source = film.relative_to(folder)
        try:
            text = _transcript(film)
        except DataError as error:
            problems.append(f"{source.as_posix()}: {error.what}" + (f": {error.why}" if error.why else ""))
        else:
            id_ = "_".join((folder.resolve().name, *source.with_suffix("").parts))
            clips.append(Clip(id_, "", text, source.as_posix()))
    return Corpus(tuple(clips), tuple(problems))


def _transcript(film: Path) -> str:
    align, note = film.with_suffix(".align"), film.with_suffix(".txt")
    if align.is_file():
        return " ".join(word for _, _, word in read_align(align))
    if text := normalise_text(_text(note)) if note.is_file() else "":
        return text
    raise DataError("has no .align, and no .txt with words, beside it")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError("Cannot be read", where=str(path), why=error.strerror or str(error)) from error
