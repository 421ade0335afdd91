"""The HTML report: the tables, and pictures of what is behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from recipes.tts.common.report import STYLE
from recipes.tts.common.table import Section

LATENCY = "Seconds by length, both axes logarithmic: to the mel, and to the samples."


@dataclass(frozen=True)
class Picture:
    """A picture's file name, what stands under it, and what draws it to a path, or nothing where nothing is known."""

    name: str
    caption: str
    draw: Callable[[Path], None]


def write_page(out: Path, title: str, sections: Sequence[Section], pictures: Sequence[Picture]) -> None:
    """Write report.html and pictures/ into `out`."""
    folder = out / "pictures"
    folder.mkdir()
    for each in pictures:
        each.draw(folder / each.name)
    shown = "".join(_figure(each) for each in pictures if (folder / each.name).is_file())
    body = "".join(map(_section, sections)) + "<h2>Pictures</h2>" + shown
    (out / "report.html").write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n",
        encoding="utf-8",
    )


def _figure(picture: Picture) -> str:
    caption = escape(picture.caption)
    return f'<figure><img src="pictures/{picture.name}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


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
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    FigureCanvasAgg(figure)
    # No version and no date in the file: equal measurements give equal bytes.
    figure.savefig(path, dpi=90, metadata={"Software": None})
