"""The last stage: the results section and the report."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from recipes.lipreading.common.pages import previews_part, sentences_table, write_page
from recipes.lipreading.common.previews import film_line
from recipes.lipreading.pcpg.evaluate import BEAM, FILMS, FORCED, GREEDY, NEAREST, SCORES, read_sentences
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
    if (ctx.input("decoded") / FILMS).is_file():
        body += "<h2>Films</h2>" + sentences_table(read_sentences(ctx.input("decoded"), FILMS))
    body += previews_part(ctx.input("previews"), out / "pictures")
    write_page(out / "report.html", f"{cfg.recipe} on {title}", (section,), body)
    ctx.log.info("report: %s", ctx.folder.artifact("results") / "report.html")


def results_section(cfg: Any, ctx: Context) -> Section:
    """This run's rows and the facts behind them."""
    scores = _json(ctx.input("decoded") / SCORES)
    rows = _rows(scores["systems"])
    if films := scores.get("films"):
        rows += _rows(films["systems"], f"{films['clips']} films, ")
    header = [f"{scores['clips']} held-out clips", *HEADER]
    return Section(cfg.results.label, header, rows, _facts(cfg, ctx, scores))


def _rows(found: Mapping[str, Any], before: str = "") -> list[list[str]]:
    shown = [name for name in NAMES if name in found]
    return [[before + NAMES[name], *(f"{found[name][key]:.1%}" for key in KEYS)] for name in shown]


def _facts(cfg: Any, ctx: Context, scores: dict[str, Any]) -> list[tuple[str, str]]:
    splits = _json(ctx.input("manifest") / "splits.json")
    parts = ", ".join(f"{len(splits[part])} {part}" for part in ("train", "valid", "test"))
    digested = {name: jsonable(getattr(cfg, name)) for name in DIGESTED}
    return [
        ("command", f"`{command(cfg, 'films' in scores)}`"),
        ("what is counted", COUNTED),
        ("objective", in_a_line(cfg.objective)),
        ("data", f"{parts}; licence: {cfg.results.licence or 'not stated'}"),
        *_film_facts(scores.get("films")),
        ("exposure bias", f"{scores['bias']:+.1%} CER (read greedily, minus with the true characters before each)"),
        ("length", f"{scores['length']:.2f} characters written per true one; {scores['ended']:.0%} came to an end"),
        ("training", _training(cfg, ctx)),
        ("cost of a step", in_words(_json(ctx.input("timing") / "timing.json"))),
        ("seed", str(cfg.train.seed)),
        ("config digest", digest(digested)[:16]),
        ("data digest", ctx.record("crops").outputs["crops"].digest[:16]),
    ]


def _film_facts(films: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if films is None:
        return []
    lost = "; ".join(f"{row['clip']}: {film_line(row)}" for row in films["incomplete"])
    told = (
        f"{films['clips']} films, read from the file on, as `speechkd lipread` does; {films['known']} of them say a "
        f"sentence of the training clips; {lost or 'the face was found in all that were looked at'}"
    )
    return [("films", told)]


def command(cfg: Any, films: bool) -> str:
    """How to run this again, from the root of the repository."""
    where = f"egs/{cfg.results.folder or cfg.corpus.name}/lipread1/run.sh {cfg.results.conf}"
    where += " --set corpus.dir=CORPUS" if cfg.corpus.dir is not None else ""
    return where + (" --set 'films=[FILMS]'" if films else "")


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
