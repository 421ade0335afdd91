"""GRID packed: one grey JPEG of mouth crops per clip in a zip, with transcripts beside it."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from recipes.lipreading.common.manifest import Clip, Corpus, normalise_text
from speechkd.errors import DataError

TRANSCRIPTS, PICTURES = "transcripts.jsonl.gz", "mouth_50x100_jpeg.zip"
_ROWS, _COLUMNS, _HEIGHT, _WIDTH = 15, 5, 50, 100
N_FRAMES = _ROWS * _COLUMNS
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\.jpg")
_MAX_MEMBERS, _MAX_MEMBER_BYTES, _MAX_TEXT_BYTES = 100_000, 2**20, 64 * 2**20


def read_grid_packed(folder: Path, speaker: str = "s1") -> Corpus:
    """The clips that have both pictures and a transcript; the others are counted as problems.

    Raises DataError for an archive with a name that leads elsewhere or with a member that unpacks to too much.
    """
    rows = {row["id"]: row for row in _transcripts(folder / TRANSCRIPTS)}
    pictured = {name.removesuffix(".jpg") for name in checked_names(folder / PICTURES)}
    clips = tuple(_clip(rows[id_], speaker) for id_ in sorted(pictured & set(rows)))
    problems = [f"{id_}: has pictures and no transcript" for id_ in sorted(pictured - set(rows))]
    problems += [f"{id_}: has a transcript and no pictures" for id_ in sorted(set(rows) - pictured)]
    return Corpus(clips, tuple(problems))


def checked_names(archive: Path) -> list[str]:
    """The members of the zip. Raises DataError for the whole archive if one of them is hostile."""
    with _opened(archive) as pack:
        members = pack.infolist()
    if len(members) > _MAX_MEMBERS:
        raise DataError("Archive refused", where=str(archive), why=f"more than {_MAX_MEMBERS} files")
    names: dict[str, int] = {}
    for member in members:
        if not _NAME.fullmatch(member.filename) or member.filename in names:
            raise DataError("Archive refused", where=f"{archive}: {member.filename!r}", why="not a name of a clip")
        if member.file_size > _MAX_MEMBER_BYTES:
            raise DataError("Archive refused", where=f"{archive}: {member.filename}", why="it unpacks to too much")
        names[member.filename] = member.file_size
    return list(names)


def packed_frames(archive: Path, name: str, n_frames: int = N_FRAMES) -> np.ndarray:
    """The first n_frames crops (n_frames, 50, 100) uint8 of a member. DataError, of this clip alone, if broken."""
    where = f"{archive}: {name}"
    try:
        with _kept_open(archive, os.getpid()).open(name) as file:
            data = file.read(_MAX_MEMBER_BYTES + 1)
        if len(data) > _MAX_MEMBER_BYTES:
            raise DataError("Picture refused", where=where, why="it unpacks to too much")
        return _frames(data, where)[:n_frames]
    except (KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, SyntaxError) as error:
        raise DataError("Picture cannot be read", where=where, why=str(error), todo="Copy it again.") from error


def _frames(data: bytes, where: str) -> np.ndarray:
    """The crops of a JPEG, whose size is looked at before it is decoded."""
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        if image.size != (_COLUMNS * _WIDTH, _ROWS * _HEIGHT) or image.mode != "L":
            why = f"{image.mode} of {image.size[0]} x {image.size[1]}, not grey of 500 x 750"
            raise DataError("Picture refused", where=where, why=why)
        sheet = np.asarray(image)
    frames = sheet.reshape(_ROWS, _HEIGHT, _COLUMNS, _WIDTH).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(frames.reshape(N_FRAMES, _HEIGHT, _WIDTH))


@lru_cache(maxsize=1)
def _kept_open(archive: Path, _process: int) -> zipfile.ZipFile:
    """The archive, its list read once in each process: forked workers must not share a place in the file."""
    return _opened(archive)


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError("Archive cannot be read", where=str(archive), why=str(error)) from error


def _transcripts(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path) as file:
            data = file.read(_MAX_TEXT_BYTES + 1)
        if len(data) > _MAX_TEXT_BYTES:
            raise DataError("Transcripts refused", where=str(path), why=f"more than {_MAX_TEXT_BYTES} bytes")
        for line in data.decode("utf-8").splitlines():
            row = json.loads(line)
            yield {key: row[key] for key in ("id", "text", "align", "frames")}
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise DataError("Transcripts cannot be read", where=str(path), why=str(error)) from error


def _clip(row: dict[str, Any], speaker: str) -> Clip:
    words = tuple((float(a), float(b), word) for a, b, word in row["align"] if normalise_text(word))
    return Clip(row["id"], speaker, normalise_text(row["text"]), _source(row), words)


def _source(row: dict[str, Any]) -> str:
    """The member, and after a # how many of its pictures are film: a shorter clip is filled up with its last frame."""
    return f"{PICTURES}/{row['id']}.jpg#{min(N_FRAMES, max(1, int(row['frames'])))}"
