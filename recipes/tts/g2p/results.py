"""The last stage: the tables of RESULTS.md."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from recipes.tts.common.table import Section, update_table
from recipes.tts.g2p.score import CHAIN, NETWORK, RULES
from speechkd.config import digest, jsonable
from speechkd.runner import Context
from speechkd.runner.publish import write_file

TITLE = "Results: CMU Pronouncing Dictionary, spelling to sound"
TARGET_PHONE_ERROR, TARGET_WORD_ACCURACY, TARGET_MEGABYTES = 0.08, 0.70, 3.0
COMMAND = "`egs/cmudict/g2p1/run.sh`"
COUNTED = (
    "a word is right if it equals a listed pronunciation; phone errors are insertions, deletions and substitutions to "
    "the nearest one, per phone of that one; a word that no trained word shares its stem with (endings taken off by a "
    "list) is of no trained family; greedy decoding"
)
SYSTEMS = (NETWORK, RULES, CHAIN)
KINDS = (
    ("any", "stress aside, any listed pronunciation"),
    ("any_stress", "with stress, any listed pronunciation"),
    ("first", "stress aside, the first listed pronunciation"),
    ("first_stress", "with stress, the first listed pronunciation"),
    ("unfamiliar", "stress aside, words of no trained family"),
)
# The sections that the figures depend on; where things lie is not among them.
DIGESTED = ("split", "align", "model", "train", "score")


def run(cfg: Any, ctx: Context) -> None:
    """Write `results`: RESULTS.md; and the table named by results.table."""
    table = cfg.results.table
    text = table.read_text(encoding="utf-8") if table is not None and table.is_file() else ""
    scores = _json(ctx.input("scores") / "scores.json")
    timing = _json(ctx.input("timing") / "timing.json")
    for section in (g2p_section(cfg, ctx, scores, timing), normaliser_section(scores["normaliser"])):
        text = update_table(text, TITLE, section)
    (ctx.output("results") / "RESULTS.md").write_text(text, encoding="utf-8")
    if table is not None:
        write_file(table, text.encode())
    ctx.log.info("table: %s", table or ctx.folder.artifact("results") / "RESULTS.md")


def g2p_section(cfg: Any, ctx: Context, scores: dict[str, Any], timing: dict[str, Any]) -> Section:
    """Error rates of the held-out words, side by side, with the targets."""
    header = [f"{scores['words']} held-out words", "target", *SYSTEMS]
    rows = []
    for kind, name in KINDS:
        count = scores["systems"][NETWORK][kind]["words"]
        label = name if count == scores["words"] else f"{name} ({count} words)"
        for figure, title, target in (
            ("phone_error", "phone error rate", f"≤ {TARGET_PHONE_ERROR:.0%}"),
            ("word_accuracy", "words right", f"≥ {TARGET_WORD_ACCURACY:.0%}"),
        ):
            cells = [f"{scores['systems'][system][kind][figure]:.2%}" for system in SYSTEMS]
            rows.append([f"{title}: {label}", target if kind == "any" else "", *cells])
    megabytes = scores["weights_bytes"] / 1e6
    rows.append(["weights in MB", f"≤ {TARGET_MEGABYTES:.0f}", f"{megabytes:.2f}", "", f"{megabytes:.2f}"])
    return Section(cfg.results.label, header, rows, _facts(cfg, ctx, scores, timing))


def _facts(cfg: Any, ctx: Context, scores: dict[str, Any], timing: dict[str, Any]) -> list[tuple[str, str]]:
    history = [json.loads(line) for line in (ctx.input("model") / "history.jsonl").read_text().splitlines()]
    splits = _json(ctx.input("dictionary") / "splits.json")
    return [
        ("command", COMMAND),
        ("what is counted", COUNTED),
        ("data", f"words of letters and apostrophes; {len(splits['train'])} train, {len(splits['valid'])} valid, "
                 f"{len(splits['test'])} test, split by word at random"),
        ("speed in numpy, by time of one core", _speed(timing)),
        ("words that morphology builds from others", _built(scores["built"])),
        ("training", _training(cfg, ctx.record("train").seconds, history[-1]["step"], timing["step_s"])),
        ("seed", str(cfg.train.seed)),
        ("config digest", digest({name: jsonable(getattr(cfg, name)) for name in DIGESTED})[:16]),
        ("data digest", ctx.record("prepare").outputs["dictionary"].digest[:16]),
    ]  # fmt: skip


def _training(cfg: Any, elapsed_s: float, steps: int, step_s: float) -> str:
    wall = f"{steps} steps in {elapsed_s / 60:.1f} min of the clock"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {cfg.train.threads} thread"
    return f"{wall}; a step costs {step_s:.3f} s of a core, all of them {steps * step_s / 60:.1f} min; {machine}"


def _speed(timing: dict[str, Any]) -> str:
    speed = timing["words_per_s"]
    network = f"{speed['network_batched']:.0f} words/s in batches, {speed['network_single']:.0f} one by one"
    ratio = f"{timing['rules_over_network']:.1f} times the network in batches"
    return f"{network} ({1000 / speed['network_single']:.1f} ms a word); the letter rules {speed['rules']:.0f}, {ratio}"


def _built(built: dict[str, dict[str, float]]) -> str:
    right = (
        f"right by morphology {built[CHAIN]['word_accuracy']:.1%}, by the network {built[NETWORK]['word_accuracy']:.1%}"
    )
    return f"{built[CHAIN]['words']} of the held-out words; {right}"


def normaliser_section(scores: dict[str, dict[str, int]]) -> Section:
    """The normaliser's cases by category."""
    rows = [[name, str(score["cases"]), str(score["right"])] for name, score in sorted(scores.items())]
    totals = (sum(score[figure] for score in scores.values()) for figure in ("cases", "right"))
    rows.append(["all", *map(str, totals)])
    facts = [("command", COMMAND), ("cases", "`speechkd/text/cases/english.tsv`")]
    return Section("text normaliser", ["category", "cases", "right"], rows, facts)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
