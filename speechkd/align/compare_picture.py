"""A picture of the utterances on which two alignments differ most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speechkd.align.compare_boundaries import matched_words
from speechkd.align.drawing import draw_mel, draw_words, pyplot_without_screen
from speechkd.align.textgrid import read_textgrid
from speechkd.align.types import Alignment
from speechkd.errors import DataError

_SHOWN_FROM_S = 0.02
_SUFFIXES = (".wav", ".flac", ".ogg")


def draw_worst(picture: Path, reference: Path, other: Path, ids: Sequence[str], audio: Path | None) -> None:
    """Draw the words of both folders' TextGrids one above the other, differences over 20 ms in red; a row per id.

    With `audio`, a folder of recordings named after the ids, each row shows the mel under the words. Raises `DataError`
    when a recording is missing.
    """
    pyplot = pyplot_without_screen()
    figure, rows = pyplot.subplots(len(ids), 1, figsize=(16, 2.6 * len(ids)), squeeze=False, layout="constrained")
    for axes, name in zip(rows[:, 0], ids, strict=True):
        first, second = (read_textgrid(folder / f"{name}.TextGrid") for folder in (reference, other))
        if audio is not None:
            draw_mel(axes, _recording(audio, name), first.duration_s)
        draw_words(axes, first, 0.75, "tab:blue")
        draw_words(axes, second, 0.25, "tab:orange")
        _draw_differences(axes, first, second)
        axes.set(title=f"{name}: above {reference.name}, below {other.name}", xlim=(0, first.duration_s), ylim=(0, 1))
        axes.set_yticks([])
    rows[-1, 0].set_xlabel("seconds")
    figure.savefig(picture, dpi=90)
    pyplot.close(figure)


def _recording(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}{suffix}" for suffix in _SUFFIXES):
        if path.is_file():
            return path
    raise DataError("No recording", where=str(folder / name), why=f"none of {', '.join(_SUFFIXES)} is there")


def _draw_differences(axes: Any, first: Alignment, second: Alignment) -> None:
    for a, b in matched_words(first, second):
        for here_s, there_s in ((a.start_s, b.start_s), (a.end_s, b.end_s)):
            if np.abs(here_s - there_s) > _SHOWN_FROM_S:
                axes.plot((here_s, there_s), (0.5, 0.5), color="tab:red", linewidth=3, solid_capstyle="butt")
