"""The last stage: CLAIMS.md and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recipes.tts.claims.page import pictures
from recipes.tts.claims.rows import CLAIMS, Claim, Row, row_of
from recipes.tts.common.claims.systems import read_json
from recipes.tts.common.claims.table import (
    VOCODERS,
    confs_of,
    models,
    paper_sections,
    run_command,
    run_script,
    seconds_section,
    write_table,
)
from recipes.tts.common.results import vocoder_settings
from recipes.tts.common.table import Section
from speechkd.runner import Context, ItemStore

STAGES = ("systems", "speed", "robustness", "control", "targets", "durations", "training", "pitch", "ablation")
SPEAKING = ("speed", "robustness", "control")  # these need the vocoder


def run(cfg: Any, ctx: Context) -> None:
    """Write `table`: CLAIMS.md, report.html with its pictures; and the table named by results.table."""
    evidence = {name: read_json(ctx.input(name) / f"{name}.json") for name in STAGES}
    rows = [row_of(claim, evidence, cfg.causes.get(claim.id, "")) for claim in CLAIMS]
    sections = sections_of(rows, evidence, cfg)
    write_table(cfg, ctx, rows, sections, pictures(evidence, ItemStore(ctx.input("contours"))))


def sections_of(rows: Sequence[Row], evidence: Mapping[str, Any], cfg: Any) -> list[Section]:
    """A section for each paper, and one with the seconds behind the speeds."""
    confs = confs_of(evidence)
    papers = paper_sections(rows, lambda claim: command(claim, confs, cfg), facts(evidence, cfg))
    return [*papers, seconds_section(evidence["speed"], stage_command("speed", cfg))]


def command(claim: Claim, confs: Mapping[str, str], cfg: Any) -> str:
    """How to measure a claim again. confs: what run.sh calls the runs of systems, where that is not their name."""
    if not claim.scored:
        return stage_command(claim.stage, cfg)
    return run_command(confs.get(claim.scored, claim.scored), cfg)


def stage_command(stage: str, cfg: Any) -> str:
    """How to run a stage of this recipe again; of what was given from outside it tells the name, not the path."""
    settings = vocoder_settings(cfg.vocoder) if stage in SPEAKING else []
    if stage == "durations" and cfg.durations.reference is not None:
        settings = [f"--set durations.reference={cfg.durations.reference.name}"]
    return " ".join([run_script(cfg), "claims", *settings, f"--only {stage}"])


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
        ("models", "; ".join(models(evidence["systems"]))),
    ]  # fmt: skip
