"""`speechkd data shar`: the features of a run for training that reads from front to back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def shar(
    run: Annotated[Path, typer.Argument(help="Run folder with the stage extract done.")],
    out: Annotated[Path, typer.Argument(help="New folder for the shards.")],
    part: Annotated[str, typer.Option(help="Only train, valid or test.")] = "",
    shard_size: Annotated[int, typer.Option(min=1, help="Utterances per shard.")] = 1000,
) -> None:
    """Write the features of a run as lhotse Shar (read it with CutSet.from_shar)."""
    from speechkd.data.shar import write_shar
    from speechkd.errors import UsageError
    from speechkd.runner import ItemStore

    ids = None
    if part:
        splits = run / "manifest" / "splits.json"
        parts = json.loads(splits.read_text(encoding="utf-8")) if splits.is_file() else {}
        if part not in parts:
            known = ", ".join(parts) or "none"
            raise UsageError(f"the run has no part {part!r}", where=str(run), todo=f"Its parts: {known}")
        ids = parts[part]
    written = write_shar(ItemStore(run / "features"), run / "features" / "cuts.jsonl", out, ids, shard_size)
    typer.echo(f"{written} utterances in {out}")
