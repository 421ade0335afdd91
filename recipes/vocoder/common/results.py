"""The last stage: the results row and the report."""

from __future__ import annotations

import json
import os
import platform
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from recipes.tts.common.table import Section, update_table
from recipes.vocoder.common.infer import COPY_TITLE
from recipes.vocoder.common.report import write_report
from recipes.vocoder.common.score import systems
from recipes.vocoder.common.train import HISTORY, START
from speechkd.audio.presets import mel_preset
from speechkd.config import digest, jsonable
from speechkd.runner import Context
from speechkd.runner.publish import write_file
from speechkd.training.device import device_name, resolve_device, resolve_precision

METRICS = (
    ("mel_l1", "mel L1", "{:.3f}"),
    ("pesq_wb", "PESQ-wb", "{:.2f}"),
    ("stoi", "STOI", "{:.3f}"),
    ("periodicity_rmse", "periodicity RMSE", "{:.3f}"),
    ("f0_rmse_cents", "F0 RMSE (cents)", "{:.0f}"),
    ("voicing_error", "voicing error", "{:.1%}"),
)
# The sections that a result depends on; where things lie is not among them.
DIGESTED = ("split", "audio", "slices", "losses", "adversarial", "train", "score")


def run(cfg: Any, ctx: Context, sections: Sequence[str] = ()) -> None:
    """Write `results`: report.html with its pictures, RESULTS.md; and the table named by results.table.

    sections: those of the recipe's own that the results depend on.
    """
    out, section = ctx.output("results"), results_section(cfg, ctx, sections)
    title = ", ".join(corpus.title or corpus.name for corpus in cfg.corpora)
    table = cfg.results.table
    old = table.read_text(encoding="utf-8") if table is not None and table.is_file() else ""
    text = update_table(old, f"Results of vocoders: {title}", section, COPY_TITLE)
    (out / "RESULTS.md").write_text(text, encoding="utf-8")
    if table is not None:
        write_file(table, text.encode())
    write_report(ctx, out, f"{cfg.recipe} on {title}", section, mel_preset(cfg.audio.mel))
    ctx.log.info("report: %s", ctx.folder.artifact("results") / "report.html")
    ctx.log.info("vocoder: %s", ctx.folder.artifact("vocoder"))


def results_section(cfg: Any, ctx: Context, sections: Sequence[str] = ()) -> Section:
    """This run's rows and the facts behind them."""
    scores, timing = _json(ctx.input("scores") / "scores.json"), _json(ctx.input("timing") / "timing.json")
    factors = timing["real_time_factor"]
    rows = [
        [title, *_cells(scores[folder]), f"{factors[folder]:.4f}" if folder in factors else ""]
        for folder, title in systems(ctx.input("samples"))
        if folder in scores
    ]
    header = [f"{scores['clips']} held-out clips", *(title for _, title, _ in METRICS), "real-time factor"]
    return Section(cfg.results.label, header, rows, _facts(cfg, ctx, timing, sections))


def _cells(values: dict[str, Any]) -> list[str]:
    return [form.format(values[key]) if values.get(key) is not None else "" for key, _, form in METRICS]


def _facts(cfg: Any, ctx: Context, timing: dict[str, Any], sections: Sequence[str]) -> list[tuple[str, str]]:
    vocoder = ctx.input("vocoder")
    history = [json.loads(line) for line in (vocoder / HISTORY).read_text(encoding="utf-8").splitlines()]
    start = _json(vocoder / START) if (vocoder / START).is_file() else None
    digested = {name: jsonable(getattr(cfg, name)) for name in sorted({*DIGESTED, *sections})}
    mels, threads = cfg.mels, timing["threads"]
    digested["mels"] = [mels.share, mels.variances] if mels.predicted is not None else []
    digested["start"] = start["sha256"] if start else None
    return [
        ("command", f"`{command(cfg, start, cfg.teacher.path if 'teacher' in sections else None)}`"),
        *([("started from", f"{start['name']}, SHA-256 {start['sha256'][:16]}")] if start else []),
        *[("data", _data(corpus, ctx.input("manifest") / corpus.name)) for corpus in cfg.corpora],
        ("training", _training(cfg, ctx, history[-1]["step"])),
        ("real-time factor", f"with {threads} thread{'s' if threads > 1 else ''}; below 1 is faster than speech"),
        ("seed", str(cfg.train.seed)),
        ("config digest", digest(digested)[:16]),
        ("data digest", ctx.record("extract").outputs["mels"].digest[:16]),
        ("samples digest", ctx.record("infer").outputs["samples"].digest[:16]),
    ]


def _data(corpus: Any, manifest: Path) -> str:
    splits, report = _json(manifest / "splits.json"), _json(manifest / "report.json")
    parts = ", ".join(f"{len(splits[part])} {part}" for part in ("train", "valid", "test"))
    licence = corpus.licence or "not stated"
    minutes = report["duration_s"] / 60
    return f"{corpus.name}, {report['utterances']} clips, {minutes:.1f} min; {parts}; licence: {licence}"


def _training(cfg: Any, ctx: Context, steps: int) -> str:
    device = resolve_device(cfg.train.device)
    if cfg.train.threads:
        torch.set_num_threads(cfg.train.threads)
    precision, minutes = resolve_precision(cfg.train.precision, device), ctx.record("train").seconds / 60
    where = f"{device_name(device)}, {precision}; {platform.machine()}, {os.cpu_count()} cores"
    return f"{steps} steps in {minutes:.1f} min on {where}"


def command(cfg: Any, start: dict[str, str] | None = None, teacher: Path | None = None) -> str:
    """How to run this again, from the root of the repository. start: what start.json tells, if there is one.

    Folders of vocoders, such as the teacher's, are named by their last part: where they lie is nobody else's business.
    """
    first = cfg.corpora[0].name
    words = [f"egs/{first}/vocoder1/run.sh" + ("" if cfg.results.conf == "hifigan" else f" {cfg.results.conf}")]
    words += [f"--set corpora.{i}.dir=CORPUS" for i, corpus in enumerate(cfg.corpora) if corpus.dir is not None]
    if start:
        words.append(f"--set init.path={start['name']}")
    if cfg.mels.predicted is not None:
        words.append("--set mels.predicted=RUN/model")
    if teacher is not None:
        words.append(f"--set teacher.path={teacher.name}")
    if cfg.compare:
        words.append("--set " + shlex.quote(f"compare=[{', '.join(_compared(each) for each in cfg.compare)}]"))
    return " ".join(words)


def _compared(each: Any) -> str:
    return f'{{label: "{each.label}", path: {each.path.name}, level_db: {each.level_db:g}}}'


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
