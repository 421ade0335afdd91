"""Runs to measure claims on: a real run of the FastSpeech 2 recipe on a few sentences, and made-up ones beside it.

The others have the real one's manifest, texts, features, alignments and samples, and small random models that are saved
as any recipe saves them.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from recipes.tts.common.dataset import silent_symbols
from recipes.tts.fastspeech2 import RECIPE as FASTSPEECH2_RECIPE
from speechkd.config import load_config
from speechkd.features.statistics import Statistics
from speechkd.models.tts.load import build_model, save_model
from speechkd.runner import ItemStore, ItemWriter, RunOptions, run_recipe
from speechkd.runner.records import OutputRecord, Plan, Record, RunFolder
from speechkd.text import SymbolTable

ROOT = Path(__file__).resolve().parents[4]
N_SENTENCES = 6
FFT = {"layers": 1, "heads": 2, "conv_channels": 16, "conv_kernel": 3, "dropout": 0.0}
PREDICTOR = {"layers": 2, "channels": 8, "kernel": 3, "dropout": 0.0}
NETWORK = {"hidden": 16, "encoder": FFT, "decoder": FFT, "predictor": PREDICTOR}


def real_run(folder: Path) -> Path:
    """The FastSpeech 2 recipe on the mini corpus, up to its scores."""
    conf = folder / "mini.yaml"
    conf.write_text(
        f"""
base: {ROOT}/egs/mini/tts1/conf/fastspeech2.yaml
run: {{dir: fastspeech2, base: null}}
corpus: {{limit: {N_SENTENCES}}}
split: {{valid: 2, test: 2}}
model: {json.dumps(NETWORK)}
vocoder: {{n_iter: 2}}
train: {{max_steps: 4, schedule: {{warmup_steps: 1}}, batch_frames: 1500, log_every_steps: 1, valid_every_steps: 2,
        checkpoint_every_steps: 4, device: cpu, precision: fp32, threads: 1}}
"""
    )
    cfg = load_config(conf, FASTSPEECH2_RECIPE.config)
    run_recipe(FASTSPEECH2_RECIPE, cfg, RunOptions(stop_stage="score"), Console(file=io.StringIO()))
    return folder / "fastspeech2"


def beside(real: Path, name: str, kind: str, network: dict[str, Any], loss: str = "l1", seconds: float = 60.0) -> Path:
    """A run of another system on the same corpus, with a random model."""
    folder = real.parent / name
    for artifact in ("manifest", "spoken", "features", "alignment", "samples", "scores"):
        shutil.copytree(real / artifact, folder / artifact)
    (folder / "model").mkdir()
    torch.manual_seed(len(name))
    save_model(folder / "model", build_model(kind, _config(real, kind, network)))
    rows = [{"kind": "train", "step": step, "mel": 2.0 / step} for step in (1, 2, 3, 4)]
    rows += [{"kind": "valid", "step": step, "mel": 3.0 / step} for step in (2, 4)]
    if kind == "fastspeech":
        for row in rows[4:]:
            row["recording_mel"] = row["mel"] ** 2
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "model" / "history.jsonl").write_text(text)
    write_record(folder, "train", "model", seconds, {"loss.mel": loss})
    return folder


def write_record(folder: Path, stage: str, artifact: str, seconds: float, told: dict[str, Any]) -> None:
    """What the runner would have recorded about a stage."""
    outputs = {artifact: OutputRecord(f"digest of {folder.name}'s {artifact}", False, {})}
    RunFolder(folder).write_record(stage, Record(Plan("tts/x", stage, 1, told, {}, {}), {}, outputs, seconds))


def _config(real: Path, kind: str, network: dict[str, Any]) -> dict[str, Any]:
    statistics = Statistics.read(real / "features" / "stats.json")
    symbols = SymbolTable.from_json(json.loads((real / "spoken" / "symbols.json").read_text(encoding="utf-8")))
    sizes = {"network": network, "n_symbols": len(symbols), "n_mels": len(statistics.mel_mean)}
    scales = {"mel_mean": statistics.mel_mean, "mel_deviation": statistics.mel_deviation}
    if kind == "transformer":
        return sizes | scales | {"head": (0, 1)}
    if kind == "fastspeech":
        return sizes | scales | {"pause_ids": silent_symbols(symbols)}
    trunk = sizes | {"pause_ids": silent_symbols(symbols), "statistics": vars(statistics)}
    if kind == "fastspeech2s":
        waveform = {"channels": 4, "blocks": 2, "cycle": 2}
        return {"trunk": trunk, "waveform": waveform, "hop_samples": 256}
    return trunk


def write_targets(folder: Path, smooth: float) -> None:
    """Targets like those of a teacher: recorded mels, each frame moved by a share towards the mean of its token."""
    features = ItemStore(folder / "features")
    with ItemWriter(folder / "targets") as writer, ItemWriter(folder / "forced") as forced:
        for id_ in features.ids:
            arrays = features.arrays(id_)
            mel, durations = arrays["mel"].copy(), arrays["durations"]
            ends = np.cumsum(durations)
            for start, end in zip(ends - durations, ends, strict=True):
                if end > start:
                    part = mel[start:end]
                    mel[start:end] = (1 - smooth) * part + smooth * part.mean(axis=0)
            writer.add(id_, {"mel": mel, "durations": durations}, {"n_frames": len(mel)})
            forced.add(id_, {"durations": durations}, {"n_frames": len(mel)})


def all_runs(folder: Path) -> dict[str, Path]:
    """The real run and one of every other system."""
    real = real_run(folder)
    teacher = NETWORK | {"prenet": {"layers": 2, "channels": 8}, "stop": {"max_frames_per_token": 2.0}}
    teacher.pop("predictor")
    runs = {"fastspeech2": real}
    runs["teacher"] = beside(real, "teacher", "transformer", teacher, seconds=400.0)
    for name in ("fastspeech", "fastspeech_gt", "fastspeech_fc"):
        runs[name] = beside(real, name, "fastspeech", NETWORK, loss="mse", seconds=100.0)
        write_targets(runs[name], 0.0 if name == "fastspeech_gt" else 0.5)
        write_record(runs[name], "targets", "targets", 50.0, {})
    for name, pitch, energy in (
        ("fastspeech2_paper", "cwt", "norm"),
        ("fastspeech2_no_cwt", "f0", "norm"),
        ("fastspeech2_no_energy", "cwt", "none"),
        ("fastspeech2_no_pitch", "none", "norm"),
        ("fastspeech2_neither", "none", "none"),
    ):
        network = NETWORK | {"pitch": {"target": pitch, "bins": 8}, "energy": {"target": energy, "bins": 8}}
        runs[name] = beside(real, name, "fastspeech2", network)
    network = NETWORK | {"pitch": {"target": "f0", "level": "phoneme"}, "energy": {"level": "phoneme"}}
    runs["fastspeech2_phoneme"] = beside(real, "fastspeech2_phoneme", "fastspeech2", network)
    runs["fastspeech2s"] = beside(real, "fastspeech2s", "fastspeech2s", NETWORK)
    return runs
