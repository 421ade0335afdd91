"""The last stage: the results section and the report."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import torch

from recipes.lipreading.common.pages import sentences_table, write_page
from recipes.lipreading.pcpg.evaluate import BEAM, FORCED, GREEDY, NEAREST, SCORES, read_sentences
from recipes.lipreading.pcpg.throughput import in_words
from recipes.tts.common.table import Section, update_table
from speechkd.config import digest, jsonable
from speechkd.runner import Context
from speechkd.runner.publish import write_file
from speechkd.training.device import device_name, resolve_device, resolve_precision
from speechkd.training.plots import plot_history

NAMES = {
    GREEDY: "greedy",
    BEAM: "beam",
    NEAREST: "beam, nearest word",
    FORCED: "true characters before each (no reading)",
}
HEADER = ("CER, total", "CER, mean", "WER, total", "WER, mean", "sentences right")
KEYS = ("cer", "cer_mean", "wer", "wer_mean", "right")
# The sections that a result depends on; where things lie is not among them.
DIGESTED = ("split", "video", "model", "augment", "curriculum", "loss", "objective", "train", "decode")
COUNTED = (
    "total: all edits / all characters (words) of the texts; mean: the mean of the ratios of sentences; spaces count "
    "as characters"
)


def run(cfg: Any, ctx: Context) -> None:
    """Write `results`: report.html, RESULTS.md; and the table named by results.table."""
    out, section = ctx.output("results"), results_section(cfg, ctx)
    title = cfg.results.title or cfg.corpus.name
    table = cfg.results.table
    old = table.read_text(encoding="utf-8") if table is not None and table.is_file() else ""
    text = update_table(old, f"Lip reading: {title}", section, NAMES[GREEDY])
    (out / "RESULTS.md").write_text(text, encoding="utf-8")
    if table is not None:
        write_file(table, text.encode())
    (out / "pictures").mkdir()
    plot_history(out / "pictures" / "losses.png", history_of(ctx.input("model")))
    body = '<h2>Losses</h2><img src="pictures/losses.png" alt="loss curves by step">'
    body += "<h2>Held-out clips</h2>" + sentences_table(read_sentences(ctx.input("decoded")))
    write_page(out / "report.html", f"{cfg.recipe} on {title}", (section,), body)
    ctx.log.info("report: %s", ctx.folder.artifact("results") / "report.html")


def results_section(cfg: Any, ctx: Context) -> Section:
    """This run's rows and the facts behind them."""
    scores = _json(ctx.input("decoded") / SCORES)
    found = scores["systems"]
    rows = [[NAMES[name], *(f"{found[name][key]:.1%}" for key in KEYS)] for name in NAMES if name in found]
    header = [f"{scores['clips']} held-out clips", *HEADER]
    return Section(cfg.results.label, header, rows, _facts(cfg, ctx, scores))


def _facts(cfg: Any, ctx: Context, scores: dict[str, Any]) -> list[tuple[str, str]]:
    splits = _json(ctx.input("manifest") / "splits.json")
    parts = ", ".join(f"{len(splits[part])} {part}" for part in ("train", "valid", "test"))
    digested = {name: jsonable(getattr(cfg, name)) for name in DIGESTED}
    return [
        ("command", f"`{command(cfg)}`"),
        ("what is counted", COUNTED),
        ("objective", in_a_line(cfg.objective)),
        ("data", f"{parts}; licence: {cfg.results.licence or 'not stated'}"),
        ("exposure bias", f"{scores['bias']:+.1%} CER (read greedily, minus with the true characters before each)"),
        ("length", f"{scores['length']:.2f} characters written per true one; {scores['ended']:.0%} came to an end"),
        ("training", _training(cfg, ctx)),
        ("cost of a step", in_words(_json(ctx.input("timing") / "timing.json"))),
        ("seed", str(cfg.train.seed)),
        ("config digest", digest(digested)[:16]),
        ("data digest", ctx.record("crops").outputs["crops"].digest[:16]),
    ]


def command(cfg: Any) -> str:
    """How to run this again, from the root of the repository."""
    where = f"egs/{cfg.results.folder or cfg.corpus.name}/lipread1/run.sh {cfg.results.conf}"
    return where + (" --set corpus.dir=CORPUS" if cfg.corpus.dir is not None else "")


def in_a_line(objective: Any) -> str:
    """An objective with its options."""
    rest = {name: value for name, value in jsonable(objective).items() if name != "name"}
    shown = ", ".join(f"{name} {_plain(value)}" for name, value in rest.items())
    return f"{objective.name}" + (f" ({shown})" if shown else "")


def _plain(value: Any) -> str:
    return f"{value['start']:g} to {value['end']:g}" if isinstance(value, dict) and "end" in value else str(value)


def _training(cfg: Any, ctx: Context) -> str:
    device = resolve_device(cfg.train.device)
    if cfg.train.threads:
        torch.set_num_threads(cfg.train.threads)
    steps, minutes = history_of(ctx.input("model"))[-1]["step"], ctx.record("train").seconds / 60
    precision = resolve_precision(cfg.train.precision, device)
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    return f"{steps} steps in {minutes:.1f} min on {device_name(device)}, {precision}; {machine}"


def history_of(model: Path) -> list[dict[str, Any]]:
    """The rows of a training."""
    return [json.loads(line) for line in (model / "history.jsonl").read_text(encoding="utf-8").splitlines()]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
