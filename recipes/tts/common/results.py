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

from recipes.tts.common.infer import COPY, PREDICTED, RECORDING, TRUE_DURATIONS
from recipes.tts.common.origin import STARTED, Origin, Taught, origins
from recipes.tts.common.report import write_report
from recipes.tts.common.table import Section, update_table
from speechkd.audio.presets import mel_preset
from speechkd.config import digest, jsonable
from speechkd.runner import Context
from speechkd.runner.publish import write_file
from speechkd.training.device import device_name, resolve_device, resolve_precision

METRICS = (
    ("mcd_dtw_db", "MCD-DTW (dB)", "{:.2f}"),
    ("f0_rmse_cents", "F0 RMSE (cents)", "{:.0f}"),
    ("voicing_error", "voicing error", "{:.1%}"),
    ("duration_mae_ms", "duration MAE (ms)", "{:.1f}"),
    ("mel_l1", "mel L1", "{:.3f}"),
    ("word_error_rate", "word errors", "{:.1%}"),
)
VOCODERS = {"griffinlim": "Griffin-Lim", "hifigan": "HiFi-GAN", "istft": "iSTFT vocoder", "none": "no vocoder"}
# The sections that a result depends on; where things lie is not among them.
DIGESTED = ("split", "text", "audio", "align", "features", "model", "train", "score")
NAMES = {
    RECORDING: "the recordings themselves",
    COPY: "copy synthesis (vocoder on true mels)",
    TRUE_DURATIONS: "true durations, the rest predicted",
    PREDICTED: "everything predicted",
}


def run(cfg: Any, ctx: Context, sections: Sequence[str] = ()) -> None:
    """Write `results`: report.html with its pictures, RESULTS.md; and the table named by results.table.

    sections: those of the recipe's own that the results depend on.
    """
    out = ctx.output("results")
    section = results_section(cfg, ctx, sections)
    title = cfg.corpus.title or cfg.corpus.name
    table = cfg.results.table
    old = table.read_text(encoding="utf-8") if table is not None and table.is_file() else ""
    text = update_table(old, f"Results: {title}", section, NAMES[PREDICTED])
    (out / "RESULTS.md").write_text(text, encoding="utf-8")
    if table is not None:
        write_file(table, text.encode())
    write_report(ctx, out, f"{cfg.recipe} on {title}", section, mel_preset(cfg.audio.mel))
    ctx.log.info("report: %s", ctx.folder.artifact("results") / "report.html")
    ctx.log.info("voice: %s", ctx.folder.artifact("voice"))


def results_section(cfg: Any, ctx: Context, sections: Sequence[str] = ()) -> Section:
    """This run's row and the facts behind it."""
    scores = _json(ctx.input("scores") / "scores.json")
    timing = _json(ctx.input("timing") / "timing.json")
    rows = [[NAMES[system], *_cells(scores[system])] for system in NAMES if system in scores]
    references = [
        [f"given, not measured here: {each.label} ({each.budget})", *_cells(each.model_dump())]
        for each in cfg.results.references
    ]
    vocoder = _json(ctx.input("voice") / "voice.json")["vocoder"]["type"]
    label = f"{cfg.results.label}, {VOCODERS[vocoder]}"
    header = [f"{scores['utterances']} held-out utterances", *(title for _, title, _ in METRICS)]
    return Section(label, header, rows + references, _facts(cfg, ctx, timing, sections))


def _cells(values: dict[str, Any]) -> list[str]:
    return [form.format(values[key]) if values.get(key) is not None else "" for key, _, form in METRICS]


def _facts(cfg: Any, ctx: Context, timing: dict[str, Any], sections: Sequence[str]) -> list[tuple[str, str]]:
    splits = _json(ctx.input("manifest") / "splits.json")
    report = _json(ctx.input("manifest") / "report.json")
    factor = timing["real_time_factor"]
    device = resolve_device(cfg.train.device)
    if cfg.train.threads:
        torch.set_num_threads(cfg.train.threads)
    history = [json.loads(line) for line in (ctx.input("model") / "history.jsonl").read_text().splitlines()]
    parts = ", ".join(f"{part} {value:.4f}" for part, value in factor.items())
    minutes = ctx.record("train").seconds / 60
    precision = resolve_precision(cfg.train.precision, device)
    starts = origins(ctx.input("model"))
    start, taught = starts.get(STARTED), Taught.read(ctx.input("model"))
    digested = {name: jsonable(getattr(cfg, name)) for name in sorted({*DIGESTED, *sections})}
    if start:
        digested["init"] = [start.weights_sha256, start.statistics, start.speaker]
    return [
        ("command", f"`{command(cfg, start, taught)}`"),
        *([("taught by", taught.in_words())] if taught else []),
        *((name, each.in_words()) for name, each in starts.items()),
        *([("with all settings", "`speechkd run RUN/config.yaml`")] if start and start.voice else []),
        ("data", f"{report['utterances']} utterances, {report['duration_s'] / 60:.1f} min; "
                 f"{len(splits['train'])} train, {len(splits['valid'])} valid, {len(splits['test'])} test"),
        ("training", f"{history[-1]['step']} steps in {minutes:.1f} min on {device_name(device)}, {precision}; "
                     f"{platform.machine()}, {os.cpu_count()} cores"),
        ("real-time factor", f"{parts}, sum {sum(factor.values()):.4f} ({timing['threads']} threads; below 1 is "
                             "faster than speech)"),
        ("seed", str(cfg.train.seed)),
        ("config digest", digest(digested)[:16]),
        ("data digest", ctx.record("extract").outputs["features"].digest[:16]),
    ]  # fmt: skip


def command(cfg: Any, start: Origin | None = None, taught: Taught | None = None) -> str:
    """How to run this again, from the root of the repository.

    `start`: of a model that started from other weights; `taught`: of one to which others read.
    """
    if start is not None and start.voice:
        return _finetune_command(cfg, start)
    name = cfg.results.conf
    where = f"egs/{cfg.corpus.name}/tts1/run.sh" + ("" if name == "fastspeech2" else f" {name}")
    settings = ["--set corpus.dir=CORPUS"] if cfg.corpus.dir is not None else []
    settings += [*vocoder_settings(cfg.vocoder), *_pack_settings(cfg.pack)]
    if start is not None:
        settings.append("--set init.trunk=FASTSPEECH2_RUN/model")
    if taught is not None:
        settings.append(f"--set teachers.texts={taught.texts}")
    return " ".join([where, *settings])


def _pack_settings(pack: Any) -> list[str]:
    return [f"--set pack.{name}=true" for name in ("onnx", "int8") if getattr(pack, name)]


def vocoder_settings(vocoder: Any) -> list[str]:
    """What a command needs so that this vocoder speaks: nothing for Griffin-Lim."""
    if vocoder.type == "istft":  # the folder `vocoder` of a run
        return [f"--set vocoder.path={vocoder.path.parent.name}/{vocoder.path.name}"]
    if vocoder.type == "hifigan":
        source = vocoder.path.name if vocoder.path else f"{vocoder.hub}@{vocoder.revision}"
        return [f"--set vocoder.path={source}"]
    return []


def _finetune_command(cfg: Any, start: Origin) -> str:
    """Where the voice and the recordings lie is nobody else's business."""
    corpus = "CORPUS" if cfg.corpus.dir is not None else cfg.corpus.name
    words = ["speechkd finetune", shlex.quote(start.voice), corpus, f"--steps {cfg.train.max_steps}"]
    words += [f"--speaker {shlex.quote(start.speaker)}"] if start.speaker else []
    return " ".join([*words, *(["--teacher TEACHER_RUN/model"] if cfg.recipe == "tts/fastspeech" else [])])


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
