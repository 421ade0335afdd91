"""The last stage: PRODIFF_CLAIMS.md and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recipes.tts.common.claims.claim import Claim, Missing, Row, row_of
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
from recipes.tts.prodiff_claims.names import FORMS
from recipes.tts.prodiff_claims.page import pictures
from recipes.tts.prodiff_claims.rows import CLAIMS
from recipes.tts.prodiff_claims.rows.parameterisation import KINDS, form, means
from speechkd.runner import Context

STAGES = ("systems", "chains", "quality", "targets", "diversity", "speed", "speakers")
SPEAKING = ("speed",)  # these need the vocoder


def run(cfg: Any, ctx: Context) -> None:
    """Write `table`: CLAIMS.md, report.html with its pictures; and the table named by results.table."""
    evidence = {name: read_json(ctx.input(name) / f"{name}.json") for name in STAGES}
    rows = [row_of(claim, evidence, cfg.causes.get(claim.id, "")) for claim in CLAIMS]
    write_table(cfg, ctx, rows, sections_of(rows, evidence, cfg), pictures(evidence))


def sections_of(rows: Sequence[Row], evidence: Mapping[str, Any], cfg: Any) -> list[Section]:
    """The claims, the preliminary study by number of steps, and the seconds behind the speeds."""
    confs = confs_of(evidence)
    papers = paper_sections(rows, lambda claim: command(claim, confs, cfg), facts(evidence, cfg))
    return [
        *papers,
        study(evidence, stage_command("chains", cfg)),
        seconds_section(evidence["speed"], stage_command("speed", cfg)),
    ]


def command(claim: Claim, confs: Mapping[str, str], cfg: Any) -> str:
    """How to measure a claim again. confs: what run.sh calls the runs of systems, where that is not their name."""
    if claim.scored:
        return run_command(confs.get(claim.scored, claim.scored), cfg)
    return stage_command(claim.stage, cfg)


def stage_command(stage: str, cfg: Any) -> str:
    """How to run a stage of this recipe again; of what was given from outside it tells the name, not the path."""
    settings = vocoder_settings(cfg.vocoder) if stage in SPEAKING else []
    return " ".join([run_script(cfg), "prodiff_claims", *settings, f"--only {stage}"])


def study(evidence: Mapping[str, Any], command: str) -> Section:
    """The errors of both forms by number of steps."""
    steps = [str(each) for each in evidence["chains"]["steps"]]
    rows = []
    for name in FORMS:
        try:
            found = means(evidence, name)
        except Missing:
            continue
        rows += [
            [f"{name}-based, {title}", *(form(kind, found[kind][n]) for n in steps)] for kind, title in KINDS.items()
        ]
    return Section("Preliminary study", ["denoising steps", *steps], rows, [("command", f"`{command}`")])


def facts(evidence: Mapping[str, Any], cfg: Any) -> list[tuple[str, str]]:
    """How things were counted, and with which models."""
    speed = evidence["speed"]
    return [
        ("steps", "one model for each form, trained on the longest chain; fewer steps go down the same chain without "
                  "new noise (DDIM), with the recordings' durations"),
        ("mel L1", "mean |Δ| of natural-log mels per frame and bin, held-out utterances"),
        ("MCD", "c1 to c13 of the mels themselves; in the rows on quality of the samples, by DTW"),
        ("within noise", "the mean difference over utterances is under twice its standard error"),
        ("target variance", f"{evidence['targets'].get('noises', 'no')} draws of noise for each utterance, with the "
                            "recording's durations, pitch and energy; mean over the student's levels"),
        ("bins", f"{evidence['diversity']['bins']} k-means cells of training frames; beside recordings of the same "
                 "sentences, with their durations"),
        ("timing", f"{speed['device']}, {speed['machine']}; all in one process by turns, {speed['rounds']} rounds "
                   f"after {speed['warm_up']} calls each to warm up; {VOCODERS[cfg.vocoder.type]} for all"),
        ("models", "; ".join(models(evidence["systems"]))),
    ]  # fmt: skip
