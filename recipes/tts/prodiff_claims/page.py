"""The pictures of the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from recipes.tts.common.claims.page import LATENCY, Picture, draw_latency, save_figure
from recipes.tts.prodiff_claims.rows.parameterisation import KINDS

STEPS = "Errors by number of denoising steps, both axes logarithmic; bars are standard errors over utterances."
VARIANCE = "Variance by mel bin: of a student's targets, and of recordings around models of their mean."


def pictures(evidence: Mapping[str, Any]) -> list[Picture]:
    """All that can be drawn of what was measured."""
    return [
        Picture("steps.png", STEPS, lambda path: draw_steps(path, evidence["chains"])),
        Picture("variance.png", VARIANCE, lambda path: draw_variance(path, evidence["targets"])),
        Picture("latency.png", LATENCY, lambda path: draw_latency(path, evidence["speed"])),
    ]


def draw_steps(path: Path, chains: Mapping[str, Any]) -> None:
    """Both errors over steps, a line per form; nothing where nothing was measured."""
    if not chains["systems"]:
        return
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axis, (kind, title) in zip(figure.subplots(1, 2), KINDS.items(), strict=True):
        for name, rows in chains["systems"].items():
            values = [np.asarray(rows[str(n)][kind]) for n in chains["steps"]]
            errors = [each.std() / len(each) ** 0.5 for each in values]
            axis.errorbar(chains["steps"], [each.mean() for each in values], yerr=errors, marker="o", label=name)
        axis.set(xscale="log", yscale="log", xlabel="denoising steps", ylabel=title)
        axis.set_xticks(chains["steps"], [str(n) for n in chains["steps"]])
        axis.grid(True, which="both", linewidth=0.3)
        axis.legend()
    save_figure(figure, path)


def draw_variance(path: Path, targets: Mapping[str, Any]) -> None:
    """Variances over mel bins; nothing without a teacher."""
    if not targets:
        return
    figure = Figure(figsize=(6, 3), layout="constrained")
    axis = figure.subplots()
    for name, values in targets["systems"]["teacher"]["by_bin"].items():
        axis.plot(values, label=name.replace("_", " "))
    axis.set(xlabel="mel bin", ylabel="variance", yscale="log")
    axis.legend()
    save_figure(figure, path)
