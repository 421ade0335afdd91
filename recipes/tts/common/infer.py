"""Speaking the held-out sentences beside the recordings."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from recipes.tts.common.extract import load_speech
from recipes.tts.common.manifest import Manifest
from recipes.tts.common.tokenize import frontend
from speechkd.audio.io import write_audio
from speechkd.audio.mel import MelPreset, mel_preset
from speechkd.hub.fetch import fetch_files
from speechkd.models.tts.fastspeech2 import FastSpeech2, Prediction
from speechkd.models.tts.load import load_model
from speechkd.models.vocoder.load import Vocoder, load_vocoder
from speechkd.runner import Context, ItemStore
from speechkd.text import Frontend, SymbolTable

# Folders of `samples`, in the order of what has been replaced by the models.
RECORDING, COPY, TRUE_DURATIONS, PREDICTED = "recording", "copy", "true_durations", "predicted"
SYSTEMS = (RECORDING, COPY, TRUE_DURATIONS, PREDICTED)
T = TypeVar("T")


@dataclass(frozen=True)
class Speaker:
    """The trained model with its vocoder and text front end."""

    model: FastSpeech2
    vocoder: Vocoder
    symbols: SymbolTable
    preset: MelPreset
    frontend: Frontend


def run(cfg: Any, ctx: Context) -> None:
    """Write `samples`: a folder of WAVs per system and the mels behind them; and `timing`, which is volatile."""
    manifest, features = Manifest.read(ctx.input("manifest")), ItemStore(ctx.input("features"))
    tokens = ItemStore(ctx.input("spoken"))
    symbols = SymbolTable.from_json(json.loads((ctx.input("spoken") / "symbols.json").read_text(encoding="utf-8")))
    vocoder = load_vocoder(cfg.vocoder, cfg.audio.mel, fetch_files, cfg.audio.vocoder_level_db)
    reader = frontend(cfg.text.language, cfg.text.lexicon, cfg.text.day_first)
    speaker = Speaker(load_model(ctx.input("model")), vocoder, symbols, mel_preset(cfg.audio.mel), reader)
    out = ctx.output("samples")
    for system in SYSTEMS:
        (out / system).mkdir()
    held_out = [id_ for id_ in manifest.splits["test"] if id_ in features]
    paths = {each.id: manifest.audio_path(each, cfg.corpus) for each in manifest.utterances}
    texts = {each.id: each.text for each in manifest.utterances}
    rows = []
    with ctx.writer("samples") as writer, ctx.progress(len(held_out), "speaking") as bar:
        for id_ in held_out:
            write_audio(
                out / RECORDING / f"{id_}.wav",
                load_speech(paths[id_], speaker.preset, cfg.audio.loudness_dbfs),
                speaker.preset.sample_rate,
            )
            arrays, row = _speak(speaker, texts[id_], tokens.meta(id_), features.arrays(id_), out, id_)
            writer.add(id_, arrays, {})
            rows.append({"id": id_} | row)
            bar.advance()
    _write_timing(ctx.output("timing"), rows)


def _speak(
    speaker: Speaker, text: str, tokens: dict[str, Any], true: dict[str, np.ndarray], out: Path, id_: str
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Speak one utterance three ways; returns its arrays and how long each part of the plain way took."""
    ids = torch.tensor([speaker.symbols.encode(tokens["symbols"])])
    durations = torch.from_numpy(true["durations"].astype(np.int64))[None]
    lengths = torch.tensor([ids.shape[1]])
    forced = speaker.model.infer(ids, lengths, durations=durations)
    text_s, _ = _timed(lambda: speaker.frontend.tokens(text))
    acoustic_s, free = _timed(lambda: speaker.model.infer(ids, lengths))
    vocoder_s, samples = _timed(lambda: speaker.vocoder(free.mel))
    copied = speaker.vocoder(torch.from_numpy(true["mel"])[None])
    voiced = {COPY: copied, TRUE_DURATIONS: speaker.vocoder(forced.mel), PREDICTED: samples}
    for system, audio in voiced.items():
        write_audio(out / system / f"{id_}.wav", audio[0].numpy(), speaker.preset.sample_rate)
    audio_s = samples.shape[1] / speaker.preset.sample_rate
    row = {"audio_s": audio_s, "text_s": text_s, "acoustic_s": acoustic_s, "vocoder_s": vocoder_s}
    return _arrays(true, forced, free), row


def _arrays(true: dict[str, np.ndarray], forced: Prediction, free: Prediction) -> dict[str, np.ndarray]:
    return {
        "mel_recording": true["mel"],
        "f0_hz_recording": true["f0_hz"],
        "durations_recording": true["durations"],
        "mel_true_durations": _numpy(forced.mel),
        "f0_hz_true_durations": _numpy(forced.pitch.f0_hz),
        "mel_predicted": _numpy(free.mel),
        "durations_predicted": _numpy(free.durations).astype(np.int32),
        "log_durations_predicted": _numpy(free.log_durations),
    }


def _numpy(batch: Tensor) -> np.ndarray:
    array: np.ndarray = batch[0].numpy()
    return array


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _write_timing(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Per utterance, and as real-time factors; the first utterance warms up and does not count."""
    counted = rows[1:] or rows
    audio_s = sum(row["audio_s"] for row in counted)
    factors = {part: sum(row[f"{part}_s"] for row in counted) / audio_s for part in ("text", "acoustic", "vocoder")}
    summary = {"rows": rows, "real_time_factor": factors, "threads": torch.get_num_threads()}
    (folder / "timing.json").write_text(json.dumps(summary, indent=1, sort_keys=True), encoding="utf-8")
