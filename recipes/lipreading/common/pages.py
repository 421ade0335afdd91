"""HTML reports of lip reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from recipes.tts.common.report import page, table_of
from recipes.tts.common.table import Section


def write_page(path: Path, title: str, sections: Sequence[Section], body: str) -> None:
    """A page with the tables of sections, then a body."""
    path.write_text(page(title, "\n".join([*map(table_of, sections), body])), encoding="utf-8")


def sentences_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was said in each clip, and what was read greedily and with a beam."""
    head = "<tr><th>clip</th><th>said</th><th>greedy</th><th>beam</th></tr>"
    cells = ("".join(f"<td>{escape(str(row[name]))}</td>" for name in ("id", "text", "greedy", "beam")) for row in rows)
    return f"<table>{head}{''.join(f'<tr>{each}</tr>' for each in cells)}</table>"
