"""Measuring the held-out sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recipes.tts.common.infer import PREDICTED, RECORDING, SYSTEMS, TRUE_DURATIONS
from speechkd.audio.io import read_audio
from speechkd.audio.presets import mel_preset
from speechkd.metrics.dtw import euclidean_cost, warping_path
from speechkd.metrics.recognition import Recogniser, word_error_rate
from speechkd.metrics.speech import duration_mae_ms, mel_l1, speech_distance
from speechkd.runner import Context, Item, ItemStore

Row = dict[str, Any]


def run(cfg: Any, ctx: Context) -> None:
    """Write `scores`: an item per utterance, and scores.json with the means per system."""
    samples, tokens = ctx.input("samples"), ItemStore(ctx.input("spoken"))
    ids = ItemStore(samples).ids
    hop_s = mel_preset(cfg.audio.mel).hop_s
    items = [(id_, tokens.meta(id_)) for id_ in ids]
    ctx.map(_score, items, "scores", common=(samples, hop_s, listened_to(cfg.score, samples)))
    out = ctx.output("scores")
    rows = [ItemStore(out).meta(id_) for id_ in ids]
    (out / "scores.json").write_text(json.dumps(summarise(rows), indent=1, sort_keys=True), encoding="utf-8")


def listened_to(options: Any, samples: Path) -> list[str]:
    """What the recogniser hears, of what was spoken. options: the section `score`."""
    if not options.recogniser:
        return []
    return systems(samples) if options.listen_to == "all" else [PREDICTED]


def _score(id_: str, tokens: Mapping[str, Any], common: tuple[Path, float, list[str]]) -> Item:
    samples, hop_s, heard = common
    recording = samples / RECORDING / f"{id_}.wav"
    row: Row = {"text": " ".join(word["text"] for word in tokens["words"])}
    for system in systems(samples)[1:]:
        row[system] = vars(speech_distance(recording, samples / system / f"{id_}.wav"))
        if not np.isfinite(row[system]["f0_rmse_cents"]):
            row[system]["f0_rmse_cents"] = None
    arrays = ItemStore(samples).arrays(id_)
    if TRUE_DURATIONS in row:
        row[TRUE_DURATIONS]["mel_l1"] = mel_l1(arrays["mel_recording"], arrays["mel_true_durations"])
    row[PREDICTED]["mel_l1"] = _mel_l1_dtw(arrays["mel_recording"], arrays["mel_predicted"])
    row[PREDICTED] |= _duration_errors(tokens, arrays, hop_s)
    if heard:
        row["heard"] = {system: _hear(samples / system / f"{id_}.wav") for system in heard}
    return Item(meta=row)


def systems(samples: Path) -> list[str]:
    """What was spoken, the recordings first: a model that takes no durations does not speak with the true ones."""
    return [system for system in SYSTEMS if (samples / system).is_dir()]


def _duration_errors(tokens: Mapping[str, Any], arrays: Mapping[str, np.ndarray], hop_s: float) -> Row:
    """Phones and pauses apart: a pause is zero most of the time and seconds at other times."""
    phone = np.asarray(tokens["word_index"]) >= 0
    true = arrays["durations_recording"]
    if "log_durations_predicted" in arrays:
        frames = np.maximum(np.exp(arrays["log_durations_predicted"].astype(np.float64)) - 1.0, 0.0)
    else:
        frames = arrays["durations_predicted"].astype(np.float64)
    return {
        "duration_mae_ms": duration_mae_ms(true[phone], frames[phone], hop_s),
        "pause_mae_ms": duration_mae_ms(true[~phone], frames[~phone], hop_s),
    }


def _mel_l1_dtw(recording: np.ndarray, spoken: np.ndarray) -> float:
    """L1 along the path that brings two mels (frames, n_mels) of different length closest."""
    i, j = warping_path(euclidean_cost(recording.astype(np.float64), spoken.astype(np.float64)))
    return mel_l1(recording[i], spoken[j])


_recogniser: list[Recogniser] = []


def _hear(path: Path) -> str:
    # One recogniser per process: loading its models costs more than using them.
    if not _recogniser:
        _recogniser.append(Recogniser())
    audio = read_audio(path)
    return _recogniser[0].transcribe(audio.samples, audio.sample_rate)


def summarise(rows: list[Row]) -> Row:
    """Means over utterances per system; word errors are pooled over all words."""
    summary: Row = {"utterances": len(rows)}
    spoken = [system for system in SYSTEMS if system in rows[0]]
    for system in spoken:
        measured = {name for row in rows for name in row[system]}
        summary[system] = {name: _mean([row[system][name] for row in rows]) for name in sorted(measured)}
    if "heard" in rows[0]:
        texts = [row["text"] for row in rows]
        for system in rows[0]["heard"]:
            heard = [row["heard"][system] for row in rows]
            summary.setdefault(system, {})["word_error_rate"] = word_error_rate(texts, heard)
    return summary


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
