"""A picture of what `inspect_alignments` found: the pauses, and the utterances that look wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from speechkd.align.drawing import draw_mel, draw_words, pyplot_without_screen
from speechkd.align.inspection import Inspection, Strange
from speechkd.align.textgrid import read_textgrid

_PLACES = {"before": "before the first word", "between": "between words", "after": "after the last word"}
_BIN_S = 0.02
_LONGEST_SHOWN_S = 1.2


def draw_inspection(
    picture: Path, folder: Path, inspection: Inspection, recordings: Mapping[str, Path], strangest: int
) -> None:
    """Histograms of the pauses, and below them the `strangest` utterances with the phone in question in red.

    `recordings` are the paths by id; utterances without one are drawn without their mel.
    """
    pyplot = pyplot_without_screen()
    shown = inspection.strangest[:strangest]
    figure = pyplot.figure(figsize=(15, 3 + 1.7 * len(shown)), layout="constrained")
    grid = figure.add_gridspec(1 + len(shown), len(_PLACES), height_ratios=[1.6] + [1] * len(shown))
    for column, (place, title) in enumerate(_PLACES.items()):
        _draw_pauses(figure.add_subplot(grid[0, column]), title, inspection.pause_lengths_s[place])
    for row, strange in enumerate(shown, start=1):
        _draw_utterance(figure.add_subplot(grid[row, :]), folder, strange, recordings.get(strange.id))
    figure.savefig(picture, dpi=80)
    pyplot.close(figure)


def _draw_pauses(axes: Any, title: str, lengths_s: tuple[float, ...]) -> None:
    # The last bar holds all that are longer.
    bins = np.arange(0, _LONGEST_SHOWN_S + _BIN_S, _BIN_S)
    axes.hist(np.minimum(lengths_s, _LONGEST_SHOWN_S - _BIN_S / 2), bins=bins, color="tab:blue")
    axes.set(title=f"{len(lengths_s)} silences {title}", xlabel="seconds", xlim=(0, _LONGEST_SHOWN_S))


def _draw_utterance(axes: Any, folder: Path, strange: Strange, recording: Path | None) -> None:
    alignment = read_textgrid(folder / f"{strange.id}.TextGrid")
    if recording is not None:
        draw_mel(axes, recording, alignment.duration_s)
    draw_words(axes, alignment, 0.75, "tab:blue")
    axes.axvspan(strange.start_s, strange.end_s, color="tab:red", alpha=0.25)
    axes.set(xlim=(0, alignment.duration_s), ylim=(0, 1), yticks=[])
    axes.set_title(str(strange), fontsize=9, loc="left")
