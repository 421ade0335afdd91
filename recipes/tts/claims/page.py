"""The HTML report: the tables, and pictures of what is behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from recipes.tts.common.report import STYLE
from recipes.tts.common.table import Section
from speechkd.runner import ItemStore

CAPTIONS = {
    "latency.png": "Seconds by length, both axes logarithmic: to the mel, and to the samples.",
    "pitch.png": "F0 of voiced frames, as shares of all; the recordings in grey behind each.",
    "variation.png": "Deviation within a phone by mel bin: distilled targets and recordings.",
}


def write_page(
    out: Path, title: str, sections: Sequence[Section], evidence: Mapping[str, Any], contours: ItemStore
) -> None:
    """Write report.html and pictures/ into `out`."""
    folder = out / "pictures"
    folder.mkdir()
    draw_latency(folder / "latency.png", evidence["speed"])
    draw_pitch(folder / "pitch.png", evidence["pitch"], contours)
    draw_variation(folder / "variation.png", evidence["targets"])
    pictures = [
        f'<figure><img src="pictures/{name}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for name, caption in CAPTIONS.items()
        if (folder / name).is_file()
    ]
    body = "".join(map(_section, sections)) + "<h2>Pictures</h2>" + "".join(pictures)
    (out / "report.html").write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n",
        encoding="utf-8",
    )


def _section(section: Section) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in section.header)
    rows = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in section.rows)
    facts = "".join(f"<tr><th>{escape(name)}</th><td>{_cell(value)}</td></tr>" for name, value in section.facts)
    return f"<h2>{escape(section.label)}</h2><table><tr>{head}</tr>{rows}</table><table>{facts}</table>"


def _cell(text: str) -> str:
    """The little Markdown that cells use."""
    if text.startswith("`") and text.endswith("`"):
        return f"<code>{escape(text.strip('`'))}</code>"
    before, star, rest = escape(text).partition("**")
    return before + (f"<b>{rest.replace('**', '</b>', 1)}" if star else "")


def draw_latency(path: Path, speed: Mapping[str, Any]) -> None:
    """Median seconds over frames, a line per way of speaking; nothing where nothing was timed."""
    if not speed["ways"]:
        return
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axis, part in zip(figure.subplots(1, 2), ("mel", "total"), strict=True):
        for color, (name, parts) in enumerate(speed["ways"].items()):
            rows = sorted((int(frames), row["median_s"]) for frames, row in parts[part]["by_frames"].items())
            if rows:
                axis.loglog(*zip(*rows, strict=True), marker="o", label=name, color=f"C{color % 10}")
        axis.set(xlabel="frames", ylabel="seconds", title="to the mel" if part == "mel" else "to the samples")
        axis.grid(True, which="both", linewidth=0.3)
        axis.legend(fontsize=8)
    _save(figure, path)


def draw_pitch(path: Path, pitch: Mapping[str, Any], contours: ItemStore) -> None:
    """A histogram of F0 for each system over that of the recordings."""
    names = [name for name, row in pitch["systems"].items() if name != "recordings" and row["voiced_frames"]]
    if not names:
        return
    voiced = {name: _voiced(contours, name) for name in ("recordings", *names)}
    low, high = np.percentile(np.concatenate(list(voiced.values())), (0.5, 99.5))
    bins = np.linspace(low, high, 50)
    figure = Figure(figsize=(3.2 * len(names), 3), layout="constrained")
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for each, color in (("recordings", "0.7"), (name, "tab:blue")):
            shares = np.full(len(voiced[each]), 1.0 / max(1, len(voiced[each])))
            filled = "stepfilled" if each == "recordings" else "step"
            axis.hist(voiced[each], bins=bins, weights=shares, histtype=filled, color=color)
        axis.set(title=name, xlabel="F0 (Hz)")
    _save(figure, path)


def _voiced(contours: ItemStore, name: str) -> np.ndarray:
    ids = [id_ for id_ in contours.ids if id_.startswith(f"{name}--")]
    values = np.concatenate([contours.array(id_, "f0_hz") for id_ in ids])
    return values[values > 0]


def draw_variation(path: Path, targets: Mapping[str, Any]) -> None:
    """Deviation within a phone over mel bins; nothing without distilled targets."""
    if not targets["varied"]:
        return
    figure = Figure(figsize=(6, 3), layout="constrained")
    axis = figure.subplots()
    for name in ("distilled", "recordings"):
        axis.plot(targets["varied"][name]["within_phone_by_bin"], label=name)
    axis.set(xlabel="mel bin", ylabel="deviation within a phone")
    axis.legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    # No version and no date in the file: equal measurements give equal bytes.
    figure.savefig(path, dpi=90, metadata={"Software": None})
