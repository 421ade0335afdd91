"""Pictures of attention: where each head looks while a frame is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray


def attention_figure(attention: NDArray[np.float32], title: str = "", symbols: Sequence[str] = ()) -> Figure:
    """A panel per head of an attention (L, H, F, T): frames to the right, tokens upwards; its focus rate above it."""
    layers, heads = attention.shape[:2]
    figure = Figure(figsize=(3.2 * heads, 2.2 * layers), layout="constrained")
    FigureCanvasAgg(figure)
    for layer, row in enumerate(figure.subplots(layers, heads, squeeze=False)):
        for head, axis in enumerate(row):
            weights = attention[layer, head]
            axis.imshow(weights.T, origin="lower", aspect="auto", cmap="magma", vmin=0, vmax=1, interpolation="nearest")
            axis.set_title(f"layer {layer} head {head}: {weights.max(axis=1).mean():.2f}", fontsize=8)
            axis.tick_params(labelsize=6)
            if symbols:
                axis.set_yticks(range(len(symbols)), symbols, fontsize=3)
    figure.suptitle(title, fontsize=9)
    return figure


def draw_attention(path: Path, attention: NDArray[np.float32], title: str = "", symbols: Sequence[str] = ()) -> None:
    """Write the figure as a PNG without a version or a date: equal input gives equal bytes."""
    attention_figure(attention, title, symbols).savefig(path, dpi=90, metadata={"Software": None})
