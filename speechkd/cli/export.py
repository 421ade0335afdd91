"""`speechkd export`: the onnx graphs of a voice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from speechkd.errors import missing_extra


def export(
    voice: Annotated[str, typer.Argument(help="Voice folder or name.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="New folder for the voice; otherwise its own.", show_default=False),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="8-bit matrices in the mel decoder.")] = False,
    weights: Annotated[
        bool, typer.Option(help="Keep the weights that torch reads; --no-weights needs --output.")
    ] = True,
) -> None:
    """Give a packed VOICE onnx graphs, compare them with torch, and say how near they come.

    In its own folder a voice that a run made is then no longer what the run's stage pack wrote, and the next run packs
    it again: give --output for those, or pack.onnx=true to the recipe.
    """
    from importlib.util import find_spec

    from speechkd.synthesis.find import choose_voice

    folder = choose_voice(voice)
    for package in ("torch", "onnx", "onnxscript", "onnxruntime"):
        if find_spec(package) is None:
            raise missing_extra(package, "export", "exporting a voice")
    from speechkd.synthesis.export.voice import export_voice

    done = export_voice(folder, output, int8=int8, keep_weights=weights)
    console = Console(soft_wrap=True, highlight=False)
    sizes = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sorted(done.sizes_bytes.items()))
    console.print(f"{done.folder}: {sizes}", markup=False)
    for line in done.difference.lines():
        console.print(line, markup=False)
