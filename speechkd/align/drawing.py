"""Drawing an utterance: its mel, and the words of an alignment over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speechkd.align.types import Alignment


def pyplot_without_screen() -> Any:
    """matplotlib's pyplot, drawing to files; imported late, since it is slow."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def draw_mel(axes: Any, path: Path, duration_s: float) -> None:
    """The mel of a recording in grey, over [0, duration_s] and [0, 1]."""
    from speechkd.align.refine_features import SAMPLE_RATE, log_mel
    from speechkd.audio.io import read_audio

    mel = log_mel(read_audio(path, SAMPLE_RATE).samples)
    axes.imshow(mel.T, origin="lower", aspect="auto", extent=(0, duration_s, 0, 1), cmap="Greys", alpha=0.6)


def draw_words(axes: Any, alignment: Alignment, height: float, colour: str) -> None:
    """The words between their boundaries, in a strip around `height`."""
    for word in alignment.words:
        axes.vlines((word.start_s, word.end_s), height - 0.25, height + 0.25, colors=colour, linewidth=1)
        middle_s = (word.start_s + word.end_s) / 2
        axes.text(middle_s, height, word.label, ha="center", va="center", fontsize=7, clip_on=True)
