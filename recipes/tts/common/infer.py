"""Speaking the held-out sentences beside the recordings."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
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
from speechkd.audio.mel import MelPreset, linear_spectrogram, mel_from_linear, mel_preset
from speechkd.errors import StageError
from speechkd.hub.fetch import fetch_files
from speechkd.models.tts.interface import AcousticModel, Spoken
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

    model: AcousticModel
    vocoder: Vocoder
    symbols: SymbolTable
    preset: MelPreset
    frontend: Frontend

    def sound(self, spoken: Spoken) -> Tensor:
        """The samples (1, N) of a spoken utterance: the model's own, or the vocoder's."""
        return self.vocoder(spoken.mel) if spoken.samples is None else spoken.samples


@dataclass(frozen=True)
class Sentence:
    """A held-out utterance: text, tokens as said, the speaker's number, and its extracted features."""

    id: str
    text: str
    symbols: list[str]
    speaker: int
    true: dict[str, np.ndarray]


def run(cfg: Any, ctx: Context) -> None:
    """Write `samples`: a folder of WAVs per system and the mels behind them; and `timing`, which is volatile."""
    manifest, features = Manifest.read(ctx.input("manifest")), ItemStore(ctx.input("features"))
    tokens = ItemStore(ctx.input("spoken"))
    symbols = SymbolTable.from_json(json.loads((ctx.input("spoken") / "symbols.json").read_text(encoding="utf-8")))
    vocoder = load_vocoder(cfg.vocoder, cfg.audio.mel, fetch_files, cfg.audio.vocoder_level_db)
    reader = frontend(cfg.text.language, cfg.text.lexicon, cfg.text.day_first)
    speaker = Speaker(load_model(ctx.input("model")), vocoder, symbols, mel_preset(cfg.audio.mel), reader)
    out, numbers = ctx.output("samples"), manifest.speaker_numbers()
    for system in SYSTEMS if speaker.model.takes_durations else (RECORDING, COPY, PREDICTED):
        (out / system).mkdir()
    held_out = held_out_with_features(manifest.splits["test"], features)
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
            sentence = Sentence(id_, texts[id_], tokens.meta(id_)["symbols"], numbers[id_], features.arrays(id_))
            arrays, row = _speak(speaker, sentence, out)
            writer.add(id_, arrays, {})
            rows.append({"id": id_} | row)
            bar.advance()
    _write_timing(ctx.output("timing"), rows)


def held_out_with_features(test: Sequence[str], features: ItemStore) -> list[str]:
    """The test utterances that can be spoken beside their recordings. StageError if there is none."""
    found = [id_ for id_ in test if id_ in features]
    if not found:
        raise StageError(
            "no utterance of test has features", where=str(features.folder),
            why=f"all {len(test)} failed in an earlier stage",
            todo="See that stage's report, or hold out other utterances (split.seed)",
        )  # fmt: skip
    return found


def _speak(speaker: Speaker, sentence: Sentence, out: Path) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Speak one utterance in every way; returns its arrays and how long each part of the plain way took."""
    model, true = speaker.model, sentence.true
    ids = torch.tensor([speaker.symbols.encode(sentence.symbols)])
    lengths, who = torch.tensor([ids.shape[1]]), torch.tensor([sentence.speaker])
    text_s, _ = _timed(lambda: speaker.frontend.tokens(sentence.text))
    acoustic_s, free = _timed(lambda: model.infer(ids, lengths, speakers=who))
    vocoder_s, samples = _timed(lambda: speaker.sound(free))
    arrays = _true_arrays(true) | _free_arrays(free, samples, speaker.preset)
    voiced = {COPY: speaker.vocoder(torch.from_numpy(true["mel"])[None]), PREDICTED: samples}
    if model.takes_durations:
        durations = torch.from_numpy(true["durations"].astype(np.int64))[None]
        forced = model.infer(ids, lengths, speakers=who, durations=durations)
        voiced[TRUE_DURATIONS] = speaker.sound(forced)
        arrays |= _forced_arrays(forced, voiced[TRUE_DURATIONS], speaker.preset)
    for system, audio in voiced.items():
        write_audio(out / system / f"{sentence.id}.wav", audio[0].numpy(), speaker.preset.sample_rate)
    audio_s = samples.shape[1] / speaker.preset.sample_rate
    return arrays, {"audio_s": audio_s, "text_s": text_s, "acoustic_s": acoustic_s, "vocoder_s": vocoder_s}


def _true_arrays(true: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {
        "mel_recording": true["mel"],
        "f0_hz_recording": true["f0_hz"],
        "durations_recording": true["durations"],
    }


def _forced_arrays(forced: Spoken, samples: Tensor, preset: MelPreset) -> dict[str, np.ndarray]:
    arrays = {"mel_true_durations": _numpy(_mel(forced, samples, preset))}
    return arrays if forced.f0_hz is None else arrays | {"f0_hz_true_durations": _numpy(forced.f0_hz)}


def _free_arrays(free: Spoken, samples: Tensor, preset: MelPreset) -> dict[str, np.ndarray]:
    arrays = {
        "mel_predicted": _numpy(_mel(free, samples, preset)),
        "durations_predicted": _numpy(free.durations).astype(np.int32),
    }
    if free.log_durations is not None:
        arrays["log_durations_predicted"] = _numpy(free.log_durations)
    return arrays


def _mel(spoken: Spoken, samples: Tensor, preset: MelPreset) -> Tensor:
    """The mel that was made, or that of the samples where a model makes those itself: (1, F, n_mels)."""
    if spoken.samples is None:
        return spoken.mel
    return mel_from_linear(linear_spectrogram(samples, preset), preset)


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
