"""`speechkd voices`: the packed voices at hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


def voices(
    root: Annotated[Path, typer.Option(help="Folder in which recipes ran.")] = Path("exp"),
) -> None:
    """List the packed voices, those of the package first, then the newest, with engines and speakers of each."""
    from speechkd.synthesis.find import FoundVoice, find_voices, shipped_voices

    # Piped output is for programs: no path may be folded there.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 400)
    found = [*shipped_voices(), *find_voices(root)]
    if not found:
        console.print(f"no packed voice under {root}: train one with `make demo`", markup=False)
        return

    def row(voice: FoundVoice) -> tuple[str, str, str, str, str, str]:
        manifest = voice.manifest
        if manifest is None:
            return "(unreadable)", "", voice.problem or "", "", "", str(voice.folder)
        speakers = ", ".join(manifest.speakers) or "one"
        engines = ", ".join(manifest.engines)
        rate = f"{manifest.sample_rate} Hz"
        return manifest.name, rate, manifest.source.recipe, speakers, engines, str(voice.folder)

    table = Table("name", "sample rate", "recipe", "speakers", "engines", "path", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for voice in found:
        table.add_row(*map(Text, row(voice)))
    console.print(table)
