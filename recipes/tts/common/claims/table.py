"""The table of claims: CLAIMS.md, the report, and how each row is measured again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from recipes.tts.common.claims.claim import Claim, Row
from recipes.tts.common.claims.page import Picture, write_page
from recipes.tts.common.results import vocoder_settings
from recipes.tts.common.table import Section, update_table
from speechkd.runner import Context
from speechkd.runner.publish import write_file

HEADER = ("claim", "paper", "ours", "same direction?", "command")
VOCODERS = {"griffinlim": "Griffin-Lim", "hifigan": "HiFi-GAN", "istft": "iSTFT vocoder"}


def write_table(
    cfg: Any, ctx: Context, rows: Sequence[Row], sections: Sequence[Section], pictures: Sequence[Picture]
) -> None:
    """Write `table`: CLAIMS.md, report.html with its pictures; and the table named by results.table."""
    title = f"Claims: {cfg.corpus.title or cfg.corpus.name}"
    text = ""
    for section in sections:
        text = update_table(text, title, section)
    text = text.replace("stage `results`", "stage `table`")
    out = ctx.output("table")
    (out / "CLAIMS.md").write_text(text, encoding="utf-8")
    if cfg.results.table is not None:
        write_file(cfg.results.table, text.encode())
    write_page(out, title, sections, pictures)
    measured = [row.direction for row in rows if row.direction]
    ctx.log.info(
        "%d of %d claims measured, %d in the paper's direction", len(measured), len(rows), measured.count("yes")
    )
    ctx.log.info("report: %s", ctx.folder.artifact("table") / "report.html")


def paper_sections(
    rows: Sequence[Row], command: Callable[[Claim], str], facts: Sequence[tuple[str, str]]
) -> list[Section]:
    """A section for each paper; under the last one, how things were counted."""
    papers = list(dict.fromkeys(row.claim.paper for row in rows))
    cells = {paper: [row.cells(command(row.claim)) for row in rows if row.claim.paper == paper] for paper in papers}
    return [Section(paper, HEADER, cells[paper], facts if paper == papers[-1] else ()) for paper in papers]


def confs_of(evidence: Mapping[str, Any]) -> dict[str, str]:
    """What run.sh calls the runs of the systems, by system."""
    return {name: row["conf"] for name, row in evidence["systems"].items() if "conf" in row}


def run_command(conf: str, cfg: Any) -> str:
    """How to run a system again. conf: what run.sh calls it."""
    corpus = [] if cfg.corpus.name == "mini" else ["--set corpus.dir=CORPUS"]
    return " ".join([run_script(cfg), conf, *corpus, *vocoder_settings(cfg.vocoder)])


def run_script(cfg: Any) -> str:
    """The script that runs everything on the corpus."""
    return f"egs/{cfg.corpus.name}/tts1/run.sh"


def models(systems: Mapping[str, Any]) -> list[str]:
    """Each system with the first digits of its model's digest."""
    return [
        f"{name} {(row['artifacts'].get('model') or row['artifacts'].get('teacher', ''))[:12]}"
        for name, row in systems.items()
        if "artifacts" in row
    ] or ["none"]


def seconds_section(speed: Mapping[str, Any], command: str) -> Section:
    """Median seconds of every way of speaking by length, and slopes."""
    lengths = [str(each) for each in speed["lengths"]]
    rows = []
    for name, parts in speed["ways"].items():
        for part in ("mel", "total"):
            by_frames, slope = parts[part]["by_frames"], parts[part]["slope"]
            if by_frames:
                cells = [f"{by_frames[each]['median_s']:.4f}" if each in by_frames else "" for each in lengths]
                label = f"{name}, {'to the mel' if part == 'mel' else 'to the samples'}"
                rows.append([label, *cells, "" if slope is None else f"{slope:.2f}"])
    networks = "; ".join(
        f"{name} {facts['parameters'] / 1e6:.1f} M parameters"
        + (f", {facts['reduction']} frame(s) a step" if "reduction" in facts else "")
        for name, facts in speed["networks"].items()
    )
    header = ["median seconds by frames", *lengths, "log-log slope"]
    return Section("Seconds", header, rows, [("command", f"`{command}`"), ("networks", networks or "none")])
