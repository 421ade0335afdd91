"""RESULTS.md: one section per run, replaced when the run is repeated, left alone otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
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


def update_table(old: str, title: str, section: Section) -> str:
    """The text of a RESULTS.md with this section new or replaced; the other sections keep their place."""
    found = re.split(r"(?m)^(?=## )", old)[1:]
    sections = {part.splitlines()[0][3:]: part.rstrip() + "\n" for part in found}
    sections[section.label] = section.to_markdown()
    return f"# {title}\n\n{NOTE}\n\n" + "\n".join(sections.values())
