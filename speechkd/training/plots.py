"""Pictures of what a model makes: mels with pitch and phones, loss curves. PNG files, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Array = npt.NDArray[Any]
MEL_RANGE = (-11.0, 2.0)  # natural log magnitude, from silence to loud


def plot_mels(
    path: Path,
    mels: Mapping[str, Array],
    f0_hz: Mapping[str, Array],
    phones: Mapping[str, Sequence[tuple[float, str]]],
    hop_s: float,
) -> None:
    """One row per name: its mel (F, n_mels), its F0 (F,) in Hz where known, its phones as (start_s, label)."""
    figure = Figure(figsize=(11, 2.3 * len(mels)), layout="constrained")
    axes = figure.subplots(len(mels), 1, squeeze=False)[:, 0]
    for axis, (name, mel) in zip(axes, mels.items(), strict=True):
        length_s = len(mel) * hop_s
        axis.imshow(
            mel.T, origin="lower", aspect="auto", extent=(0, length_s, 0, mel.shape[1]), cmap="magma",
            vmin=MEL_RANGE[0], vmax=MEL_RANGE[1],
        )  # fmt: skip
        axis.set_title(name, loc="left", fontsize=9)
        axis.set_ylabel("mel band", fontsize=8)
        _draw_phones(axis, phones.get(name, ()), mel.shape[1])
        if name in f0_hz:
            _draw_pitch(axis, f0_hz[name], hop_s)
    axes[-1].set_xlabel("seconds", fontsize=8)
    _save(figure, path)


def _draw_phones(axis: Any, phones: Sequence[tuple[float, str]], top: int) -> None:
    for start_s, label in phones:
        axis.axvline(start_s, color="white", linewidth=0.4, alpha=0.5)
        axis.text(start_s, top * 0.97, label, color="white", fontsize=6, va="top")


def _draw_pitch(axis: Any, f0_hz: Array, hop_s: float) -> None:
    pitch = axis.twinx()
    times_s = (np.arange(len(f0_hz)) + 0.5) * hop_s
    pitch.plot(times_s, np.where(f0_hz > 0, f0_hz, np.nan), color="cyan", linewidth=1.2)
    pitch.set_ylim(50, 450)
    pitch.set_ylabel("F0 (Hz)", fontsize=8)


def plot_history(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Loss curves of a run: one panel per loss, training and validation together, by step."""
    skipped = {"kind", "step", "epoch", "grad_norm"}
    names = [name for name in history[-1] if name not in skipped]
    figure = Figure(figsize=(2.4 * len(names), 2.4), layout="constrained")
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for kind in ("train", "valid"):
            rows = [row for row in history if row["kind"] == kind and name in row]
            axis.plot([row["step"] for row in rows], [row[name] for row in rows], label=kind, linewidth=1)
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.set_ylim(bottom=0)
    axis.legend(fontsize=7)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    # No version and no date in the file: equal input gives equal bytes.
    figure.savefig(path, dpi=90, metadata={"Software": None})
