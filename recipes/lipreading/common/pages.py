"""HTML reports of lip reading."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from recipes.lipreading.common.previews import INDEX, film_line
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


def previews_part(previews: Path, pictures: Path) -> str:
    """The sheets of speakers, which are copied to the folder `pictures` of the page, and the incomplete films."""
    index = json.loads((previews / INDEX).read_text(encoding="utf-8"))
    figures = "".join(_figure(row, previews, pictures) for row in index["speakers"])
    lines = "".join(f"<li>{escape(row['clip'])}: {escape(film_line(row))}</li>" for row in index["films"])
    films = f"<h2>Films without a face, or with missing frames, in places</h2><ul>{lines}</ul>" if lines else ""
    return f"<h2>Speakers</h2>{figures}{films}"


def _figure(row: Mapping[str, str], previews: Path, pictures: Path) -> str:
    name = f"speaker-{row['picture']}"
    shutil.copyfile(previews / row["picture"], pictures / name)
    told = escape(f"{row['speaker'] or 'speaker not named'}, clip {row['clip']}")
    return f'<figure><img src="pictures/{name}" alt="{told}"><figcaption>{told}</figcaption></figure>'
