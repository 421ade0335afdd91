"""The tables of `speechkd align --compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from speechkd.errors import UsageError

if TYPE_CHECKING:
    from speechkd.align.compare import BoundaryErrors, Comparison, PauseErrors

_COLUMNS = ("number", "mean", "median", "bias", "≤10 ms", "≤20 ms", "≤50 ms")


def show_comparison(
    console: Console, reference: Path, other: Path, picture: Path | None, worst: int, audio: Path | None
) -> None:
    """Print how far the TextGrids in `other` lie from those in `reference`; draw the `worst` ones to `picture`."""
    from speechkd.align.compare import compare_alignments

    if picture is None and audio is not None:
        raise UsageError("--audio is for the picture", todo="Add --picture FILE.png.")
    comparison = compare_alignments(reference, other)
    print_comparison(console, comparison)
    if picture is not None:
        from speechkd.align.compare_picture import draw_worst

        draw_worst(picture, reference, other, [each.id for each in comparison.worst[:worst]], audio)
        console.print(f"the worst utterances are drawn in {picture}", markup=False)


def print_comparison(console: Console, comparison: Comparison) -> None:
    """The figures for words, phones, classes of phones and pauses, and what could not be compared."""
    rows: list[tuple[str, BoundaryErrors | None]] = [
        ("word starts", comparison.starts),
        ("word ends", comparison.ends),
        ("words, both", comparison.both),
        ("phones", comparison.phones),
        *((f"  {name}", errors) for name, errors in comparison.by_class.items()),
    ]
    if comparison.pauses:
        rows += [("pause starts", comparison.pauses.starts), ("pause ends", comparison.pauses.ends)]
    table = _table("boundaries, ms", *_COLUMNS)
    for name, errors in rows:
        if errors is not None:
            table.add_row(name, *_cells(errors))
    console.print(table)
    for line in _remarks(comparison):
        console.print(line, markup=False)


def show_inspection(console: Console, folder: Path, picture: Path, strangest: int, recordings: dict[str, Path]) -> None:
    """Print the pauses and the strangest utterances of the TextGrids in `folder`, and draw them to `picture`."""
    from speechkd.align.inspection import inspect_alignments
    from speechkd.align.inspection_picture import draw_inspection

    found = inspect_alignments(folder, recordings.keys())
    table = _table("silences", "number", "all s", "median s", "95 % s", "longest s")
    places = (("before the words", found.before), ("between words", found.between), ("after the words", found.after))
    for name, pauses in places:
        if pauses is not None:
            lengths = [f"{value:.3f}" for value in (pauses.median_s, pauses.p95_s, pauses.longest_s)]
            table.add_row(name, str(pauses.count), f"{pauses.total_s:.1f}", *lengths)
    console.print(table)
    console.print(f"{found.utterances} utterances, {found.phones_per_second:.1f} phones per second of speech")
    for strange in found.strangest[:strangest]:
        console.print(f"strange: {strange}", markup=False)
    draw_inspection(picture, folder, found, recordings, strangest)
    console.print(f"the pauses and the strangest utterances are drawn in {picture}", markup=False)


def _table(name: str, *columns: str) -> Table:
    """A table that fits into 80 columns, with its figures to the right."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(name, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _cells(errors: BoundaryErrors) -> list[str]:
    sizes = [f"{value:.1f}" for value in (errors.mean_ms, errors.median_ms)]
    shares = [f"{value:.1%}" for value in (errors.within_10_ms, errors.within_20_ms, errors.within_50_ms)]
    return [str(errors.boundaries), *sizes, f"{errors.bias_ms:+.1f}", *shares]


def _remarks(comparison: Comparison) -> list[str]:
    alone = len(comparison.only_in_reference) + len(comparison.only_in_other)
    lines = [
        f"{comparison.utterances} utterances; {comparison.words_unmatched} words and {comparison.phones_unmatched} "
        f"phones in one of the two only; {alone} TextGrids in one folder only"
    ]
    if comparison.utterances_without_phones:
        lines.append(f"{comparison.utterances_without_phones} utterances with spn are left out of phones and pauses")
    if comparison.pauses:
        lines.append(_pause_line(comparison.pauses))
    lines.append("worst: " + ", ".join(f"{each.id} {each.mean_ms:.1f} ms" for each in comparison.worst[:5]))
    return lines


def _pause_line(pauses: PauseErrors) -> str:
    return f"pauses of 0.1 s and more: {pauses.found} of {pauses.in_reference} found, {pauses.added} added"
