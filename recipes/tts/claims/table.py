"""The last stage: CLAIMS.md and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recipes.tts.claims.page import write_page
from recipes.tts.claims.rows import CLAIMS, Claim, Row, row_of
from recipes.tts.claims.systems import read_json
from recipes.tts.common.results import vocoder_settings
from recipes.tts.common.table import Section, update_table
from speechkd.runner import Context, ItemStore
from speechkd.runner.publish import write_file

STAGES = ("systems", "speed", "robustness", "control", "targets", "durations", "training", "pitch", "ablation")
SPEAKING = ("speed", "robustness", "control")  # these need the vocoder
HEADER = ("claim", "paper", "ours", "same direction?", "command")
VOCODERS = {"griffinlim": "Griffin-Lim", "hifigan": "HiFi-GAN", "istft": "iSTFT vocoder"}


def run(cfg: Any, ctx: Context) -> None:
    """Write `table`: CLAIMS.md, report.html with its pictures; and the table named by results.table."""
    evidence = {name: read_json(ctx.input(name) / f"{name}.json") for name in STAGES}
    rows = [row_of(claim, evidence, cfg.causes.get(claim.id, "")) for claim in CLAIMS]
    sections = sections_of(rows, evidence, cfg)
    title = f"Claims: {cfg.corpus.title or cfg.corpus.name}"
    text = ""
    for section in sections:
        text = update_table(text, title, section)
    text = text.replace("stage `results`", "stage `table`")
    out = ctx.output("table")
    (out / "CLAIMS.md").write_text(text, encoding="utf-8")
    if cfg.results.table is not None:
        write_file(cfg.results.table, text.encode())
    write_page(out, title, sections, evidence, ItemStore(ctx.input("contours")))
    counts = {each: sum(row.direction.startswith(each) for row in rows) for each in ("yes", "**no**")}
    measured = counts["yes"] + counts["**no**"]
    ctx.log.info("%d of %d claims measured, %d in the paper's direction", measured, len(rows), counts["yes"])
    ctx.log.info("report: %s", ctx.folder.artifact("table") / "report.html")


def sections_of(rows: Sequence[Row], evidence: Mapping[str, Any], cfg: Any) -> list[Section]:
    """A section for each paper, and one with the seconds behind the speeds."""
    papers = list(dict.fromkeys(row.claim.paper for row in rows))
    confs = {name: row["conf"] for name, row in evidence["systems"].items() if "conf" in row}
    found = []
    for paper in papers:
        cells = [row.cells(command(row.claim, confs, cfg)) for row in rows if row.claim.paper == paper]
        found.append(Section(paper, HEADER, cells, facts(evidence, cfg) if paper == papers[-1] else ()))
    return [*found, seconds_section(evidence, stage_command("speed", cfg))]


def command(claim: Claim, confs: Mapping[str, str], cfg: Any) -> str:
    """How to measure a claim again. confs: what run.sh calls the runs of systems, where that is not their name."""
    if not claim.scored:
        return stage_command(claim.stage, cfg)
    corpus = [] if cfg.corpus.name == "mini" else ["--set corpus.dir=CORPUS"]
    return " ".join([_script(cfg), confs.get(claim.scored, claim.scored), *corpus, *vocoder_settings(cfg.vocoder)])


def stage_command(stage: str, cfg: Any) -> str:
    """How to run a stage of this recipe again; of what was given from outside it tells the name, not the path."""
    settings = vocoder_settings(cfg.vocoder) if stage in SPEAKING else []
    if stage == "durations" and cfg.durations.reference is not None:
        settings = [f"--set durations.reference={cfg.durations.reference.name}"]
    return " ".join([_script(cfg), "claims", *settings, f"--only {stage}"])


def _script(cfg: Any) -> str:
    return f"egs/{cfg.corpus.name}/tts1/run.sh"


def facts(evidence: Mapping[str, Any], cfg: Any) -> list[tuple[str, str]]:
    """How things were counted, and with which models."""
    speed, listener = evidence["speed"], evidence["robustness"].get("listener")
    tested = "not tested: no run has held-out samples"
    if listener:
        copy = listener["copy"]
        planted = [
            f"{listener[kind]['heard']} of {listener[kind]['planted']} words {kind}" for kind in ("cut", "doubled")
        ]
        tested = (
            f"{copy['skips']} skips and {copy['repeats']} repeats in {copy['words']} words of copy synthesis, where "
            f"there are none; of errors planted in it, {' and '.join(planted)} were found"
        )
    return [
        ("timing", f"{speed['device']}, {speed['machine']}; all in one process by turns, "
                   f"{speed['warm_up']} calls each to warm up and the first round at each length do not count; "
                   f"{VOCODERS[cfg.vocoder.type]} for all"),
        ("lengths", "forced: the teacher goes on past its stop token, students are given durations that add up"),
        ("words heard", "pocketsphinx searches a grammar of the one sentence: every word may be skipped or said again"),
        ("the listener itself", tested),
        ("variation within a phone", "sqrt(mean of (frame - mean of its phone)²) over frames in phones, mean of bins"),
        ("mel L1", "mean |Δ| of natural-log mels per frame and bin in evaluation mode, mean over utterances"),
        ("training time", "steps timed side by side, times their number, and the recorded seconds of making targets; "
                          "alignment and features are not in it"),
        ("models", "; ".join(_models(evidence["systems"]))),
    ]  # fmt: skip


def _models(systems: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} {(row['artifacts'].get('model') or row['artifacts'].get('teacher', ''))[:12]}"
        for name, row in systems.items()
        if "artifacts" in row
    ] or ["none"]


def seconds_section(evidence: Mapping[str, Any], command: str) -> Section:
    """Median seconds of every way of speaking by length, and slopes."""
    speed = evidence["speed"]
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
