"""RESULTS.md: one section per run, replaced when the run is repeated, left alone otherwise, and an overview of all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NOTE = "Written by the stage `results`; edits by hand are lost when a run is repeated."


@dataclass(frozen=True)
class Section:
    """A run: its label, a table, and facts as (name, value)."""

    label: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    facts: Sequence[tuple[str, str]]

    def to_markdown(self) -> str:
        """The section's text, starting with its heading."""
        lines = [f"## {self.label}", "", _line(self.header), _line(["---"] * len(self.header))]
        lines += [_line(row) for row in self.rows]
        lines += ["", *(f"- {name}: {value}" for name, value in self.facts), ""]
        return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def update_table(old: str, title: str, section: Section, overview: str | None = None) -> str:
    """The text of a RESULTS.md with this section new or replaced; the other sections keep their place.

    overview: the row that a table over all runs takes from each of them; None for no such table.
    """
    found = re.split(r"(?m)^(?=## )", old)[1:]
    sections = {part.splitlines()[0][3:]: part.rstrip() + "\n" for part in found}
    sections[section.label] = section.to_markdown()
    above = _overview(sections, overview) if overview is not None else ""
    return f"# {title}\n\n{NOTE}\n\n{above}" + "\n".join(sections.values())


def _overview(sections: Mapping[str, str], title: str) -> str:
    """A table of one row per run: the one with this title in its own table. Runs without it are left out."""
    found = {label: _row_of(text, title) for label, text in sections.items()}
    rows = {label: row for label, row in found.items() if row}
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [_line([f"all runs: {title}", *columns]), _line(["---"] * (1 + len(columns)))]
    lines += [_line([label, *(row.get(name, "") for name in columns)]) for label, row in rows.items()]
    return "\n".join(lines) + "\n\n"


def _row_of(text: str, title: str) -> dict[str, str]:
    """Values by column of the row with a title in a section's text; empty if there is none."""
    table = [_cells(line) for line in text.splitlines() if line.startswith("|")]
    row = next((cells for cells in table if cells[0] == title), None)
    return dict(zip(table[0][1:], row[1:], strict=True)) if row else {}


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
