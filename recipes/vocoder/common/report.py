"""The HTML report: players beside the recordings, pictures of their mels, loss curves, and the table."""

from __future__ import annotations

import json
import os
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch

from recipes.tts.common.report import PICTURED, page, spread, table_of
from recipes.tts.common.table import Section
from recipes.vocoder.common.score import systems
from recipes.vocoder.common.train import HISTORY
from speechkd.audio.io import read_audio
from speechkd.audio.mel import MelPreset, mel_spectrogram
from speechkd.runner import Context, ItemStore
from speechkd.training.plots import plot_history, plot_mels

# Rows in a picture: more would be too small to compare.
MOST_ROWS = 5


def write_report(ctx: Context, out: Path, title: str, section: Section, preset: MelPreset) -> None:
    """Write report.html and pictures/ into `out`; audio is linked from the `samples` artifact beside it."""
    samples, scores = ctx.input("samples"), ItemStore(ctx.input("scores"))
    (out / "pictures").mkdir()
    lines = (ctx.input("vocoder") / HISTORY).read_text(encoding="utf-8").splitlines()
    plot_history(out / "pictures" / "losses.png", [json.loads(line) for line in lines])
    pictured = spread(scores.ids, PICTURED)
    for id_ in pictured:
        _draw(out / "pictures" / f"{id_}.png", samples, id_, preset)
    link = Path(os.path.relpath(ctx.folder.artifact("samples"), ctx.folder.artifact("results"))).as_posix()
    parts = [table_of(section), '<h2>Losses</h2><img src="pictures/losses.png" alt="loss curves by step">']
    parts += ["<h2>Held-out clips</h2>"]
    parts += [_clip(id_, samples, scores.meta(id_), link, id_ in pictured) for id_ in scores.ids]
    (out / "report.html").write_text(page(title, "\n".join(parts)), encoding="utf-8")


def _draw(path: Path, samples: Path, id_: str, preset: MelPreset) -> None:
    files = {title: samples / folder / f"{id_}.wav" for folder, title in systems(samples)}
    there = [(title, file) for title, file in files.items() if file.is_file()][:MOST_ROWS]
    plot_mels(path, {title: _mel(file, preset) for title, file in there}, {}, {}, preset.hop_s)


def _mel(path: Path, preset: MelPreset) -> np.ndarray:
    mel: np.ndarray = mel_spectrogram(torch.from_numpy(read_audio(path).samples)[None], preset)[0].numpy()
    return mel


def _clip(id_: str, samples: Path, score: dict[str, Any], link: str, pictured: bool) -> str:
    players = "".join(
        f"<figure><figcaption>{escape(title)}{_figure(score.get(folder))}</figcaption>"
        f'<audio controls preload="none" src="{escape(link)}/{folder}/{quote(id_)}.wav"></audio></figure>'
        for folder, title in systems(samples)
        if (samples / folder / f"{id_}.wav").is_file()
    )
    alt = f"mels of {id_}"
    picture = f'<img src="pictures/{quote(id_)}.png" alt="{escape(alt)}" loading="lazy">' if pictured else ""
    return f'<section><b>{escape(id_)}</b><div class="players">{players}</div>{picture}</section>'


def _figure(score: dict[str, Any] | None) -> str:
    return f", mel L1 {score['mel_l1']:.3f}" if score else ""
