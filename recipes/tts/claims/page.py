"""The pictures of the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from recipes.tts.common.claims.page import LATENCY, Picture, draw_latency, save_figure
from speechkd.runner import ItemStore

PITCH = "F0 of voiced frames, as shares of all; the recordings in grey behind each."
VARIATION = "Deviation within a phone by mel bin: distilled targets and recordings."


def pictures(evidence: Mapping[str, Any], contours: ItemStore) -> list[Picture]:
    """All that can be drawn of what was measured."""
    return [
        Picture("latency.png", LATENCY, lambda path: draw_latency(path, evidence["speed"])),
        Picture("pitch.png", PITCH, lambda path: draw_pitch(path, evidence["pitch"], contours)),
        Picture("variation.png", VARIATION, lambda path: draw_variation(path, evidence["targets"])),
    ]


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
    save_figure(figure, path)


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
    save_figure(figure, path)
