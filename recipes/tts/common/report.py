"""The HTML report: players beside the recordings, pictures, loss curves, and the table."""

from __future__ import annotations

import json
import os
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from recipes.tts.common.infer import COPY, PREDICTED, RECORDING, SYSTEMS, TRUE_DURATIONS
from recipes.tts.common.manifest import Manifest
from recipes.tts.common.table import Section
from speechkd.audio.presets import MelPreset
from speechkd.runner import Context, ItemStore
from speechkd.text import is_pause
from speechkd.training.plots import plot_history, plot_mels

PICTURED = 8
TITLES = {
    RECORDING: "recording",
    COPY: "copy synthesis",
    TRUE_DURATIONS: "true durations",
    PREDICTED: "all predicted",
}
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 74rem; padding: 0 1rem; color: #1b1b1f; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .3rem .7rem; text-align: left; }
tr { border-bottom: 1px solid #ddd; } th { font-weight: 600; } img { max-width: 100%; }
audio { width: 13rem; height: 2.2rem; } .players { display: flex; flex-wrap: wrap; gap: 1rem; margin: .5rem 0; }
figure { margin: 0; } figcaption { color: #666; font-size: .85rem; } code { background: #f3f3f5; padding: .1rem .3rem; }
section { margin: 2.2rem 0; } .id { color: #666; font-size: .85rem; }
"""


def write_report(ctx: Context, out: Path, title: str, section: Section, preset: MelPreset) -> None:
    """Write report.html and pictures/ into `out`; audio is linked from the `samples` artifact beside it."""
    samples = ItemStore(ctx.input("samples"))
    scores = ItemStore(ctx.input("scores"))
    texts = {each.id: each.text for each in Manifest.read(ctx.input("manifest")).utterances}
    (out / "pictures").mkdir()
    history = [json.loads(line) for line in (ctx.input("model") / "history.jsonl").read_text().splitlines()]
    plot_history(out / "pictures" / "losses.png", history)
    pictured = spread(samples.ids, PICTURED)
    for id_ in pictured:
        _draw(out / "pictures" / f"{id_}.png", samples.arrays(id_), ItemStore(ctx.input("spoken")).meta(id_), preset)
    link = Path(os.path.relpath(ctx.folder.artifact("samples"), ctx.folder.artifact("results"))).as_posix()
    parts = [table_of(section), '<h2>Losses</h2><img src="pictures/losses.png" alt="loss curves by step">']
    parts += ["<h2>Held-out sentences</h2>"]
    parts += [_utterance(id_, texts[id_], scores.meta(id_), link, id_ in pictured) for id_ in samples.ids]
    (out / "report.html").write_text(page(title, "\n".join(parts)), encoding="utf-8")


def spread(ids: tuple[str, ...], count: int) -> list[str]:
    """At most `count` ids, evenly spaced."""
    places = np.unique(np.linspace(0, len(ids) - 1, min(count, len(ids))).astype(int))
    return [ids[place] for place in places]


def _draw(path: Path, arrays: dict[str, np.ndarray], tokens: dict[str, Any], preset: MelPreset) -> None:
    shown = [system for system in (RECORDING, TRUE_DURATIONS, PREDICTED) if f"mel_{system}" in arrays]
    mels = {TITLES[system]: arrays[f"mel_{system}"] for system in shown}
    true = arrays["durations_recording"]
    durations = {RECORDING: true, TRUE_DURATIONS: true, PREDICTED: arrays["durations_predicted"]}
    f0 = {TITLES[RECORDING]: arrays["f0_hz_recording"]}
    if "f0_hz_true_durations" in arrays:
        predicted = arrays["f0_hz_true_durations"]
        f0[TITLES[TRUE_DURATIONS]] = predicted if len(predicted) == true.sum() else np.repeat(predicted, true)
    phones = {TITLES[system]: _starts(tokens["symbols"], durations[system], preset.hop_s) for system in shown}
    plot_mels(path, mels, f0, phones, preset.hop_s)


def _starts(symbols: list[str], durations: np.ndarray, hop_s: float) -> list[tuple[float, str]]:
    """Where each symbol that lasts begins; pauses are drawn without a label."""
    starts = (np.cumsum(durations) - durations) * hop_s
    return [
        (float(start), "" if is_pause(symbol) else symbol)
        for symbol, start, frames in zip(symbols, starts, durations, strict=True)
        if frames > 0
    ]


def table_of(section: Section) -> str:
    """A section's table and facts."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in section.header)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in section.rows)
    facts = "".join(
        f"<tr><th>{escape(name)}</th><td><code>{escape(value.strip('`'))}</code></td></tr>"
        for name, value in section.facts
    )
    return f"<table><tr>{head}</tr>{rows}</table><table>{facts}</table>"


def _utterance(id_: str, text: str, score: dict[str, Any], samples: str, pictured: bool) -> str:
    players = "".join(
        f"<figure><figcaption>{TITLES[system]}{_figure(score.get(system))}</figcaption>"
        f'<audio controls preload="none" src="{escape(samples)}/{system}/{quote(id_)}.wav"></audio></figure>'
        for system in SYSTEMS
        if system == RECORDING or system in score
    )
    heard = score.get("heard", {}).get(PREDICTED)
    recognised = f'<div class="id">the recogniser heard: {escape(heard)}</div>' if heard is not None else ""
    alt = f"mels, pitch and phones of {id_}"
    picture = f'<img src="pictures/{quote(id_)}.png" alt="{escape(alt)}" loading="lazy">' if pictured else ""
    return (
        f'<section><b>{escape(text)}</b> <span class="id">{escape(id_)}</span>'
        f'<div class="players">{players}</div>{recognised}{picture}</section>'
    )


def _figure(score: dict[str, Any] | None) -> str:
    return f", {score['mcd_dtw_db']:.1f} dB" if score else ""


def page(title: str, body: str) -> str:
    """A whole report."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )
