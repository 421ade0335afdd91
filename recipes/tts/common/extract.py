"""Mel, F0, energy and durations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from recipes.tts.common.align import alignment_from_json
from recipes.tts.common.manifest import Manifest
from speechkd.align import token_durations
from speechkd.audio.io import Samples, normalise_loudness, read_audio
from speechkd.audio.mel import MelPreset, linear_spectrogram, mel_from_linear, mel_preset
from speechkd.errors import DataError
from speechkd.features.energy import frame_energy
from speechkd.features.pitch import MIN_VOICED_FRAMES, extract_f0
from speechkd.features.statistics import corpus_statistics
from speechkd.runner import Context, Item, ItemStore
from speechkd.text import Tokens


@dataclass(frozen=True)
class Extraction:
    """What every utterance is extracted with."""

    preset: MelPreset
    loudness_dbfs: float | None
    f0_method: Literal["dio", "harvest"]


def run(cfg: Any, ctx: Context) -> None:
    """Write `features`: arrays per utterance, stats.json over the training utterances, and lhotse cuts."""
    manifest = Manifest.read(ctx.input("manifest"))
    tokens, alignment = ItemStore(ctx.input("tokens")), ItemStore(ctx.input("alignment"))
    items = [
        (each.id, (manifest.audio_path(each, cfg.corpus), tokens.meta(each.id), alignment.meta(each.id)))
        for each in manifest.utterances
        if each.id in alignment
    ]
    how = Extraction(mel_preset(cfg.audio.mel), cfg.audio.loudness_dbfs, cfg.features.f0)
    ctx.map(_extract, items, "features", common=how, max_errors=cfg.run.max_errors)
    out = ctx.output("features")
    store = ItemStore(out)
    train = [id_ for id_ in manifest.splits["train"] if id_ in store]
    triples = ((a["mel"], a["f0_hz"], a["energy"]) for a in map(store.arrays, train))
    corpus_statistics(triples).write(out / "stats.json")
    manifest.write_cuts(out / "cuts.jsonl", {id_: store.meta(id_)["n_frames"] for id_ in store.ids}, how.preset)


def load_speech(path: Path, preset: MelPreset, loudness_dbfs: float | None) -> Samples:
    """A recording at the preset's rate and the wanted level, cut to whole frames: (n_frames * hop,)."""
    samples = read_audio(path, preset.sample_rate).samples
    samples = samples[: len(samples) // preset.hop_samples * preset.hop_samples]
    if len(samples) < preset.n_fft:
        raise DataError(f"recording is shorter than one window of {preset.n_fft} samples", where=str(path))
    return samples if loudness_dbfs is None else normalise_loudness(samples, loudness_dbfs)


def _extract(id_: str, item: tuple[Path, dict[str, Any], dict[str, Any]], how: Extraction) -> Item:
    path, tokens_json, alignment_json = item
    preset = how.preset
    arrays = acoustic_features(load_speech(path, preset, how.loudness_dbfs), how)
    n_frames = len(arrays["mel"])
    durations = token_durations(
        alignment_from_json(alignment_json), Tokens.from_json(tokens_json), n_frames, preset.hop_s
    )
    if int(durations.sum()) != n_frames:
        raise DataError(f"{id_}: durations sum to {durations.sum()}, not to {n_frames} frames")
    return Item(arrays | {"durations": durations.astype(np.int32)}, {"n_frames": n_frames})


def acoustic_features(samples: Samples, how: Extraction) -> dict[str, np.ndarray]:
    """mel (F, n_mels), f0_hz (F,), energy (F,) of samples (F * hop,). DataError when nothing is voiced."""
    magnitude = linear_spectrogram(torch.from_numpy(samples)[None], how.preset)
    mel = mel_from_linear(magnitude, how.preset)[0].numpy()
    f0_hz = extract_f0(samples, how.preset.sample_rate, how.preset.hop_samples, len(mel), how.f0_method)
    if np.count_nonzero(f0_hz) < MIN_VOICED_FRAMES:
        raise DataError("no voiced speech found", why="the pitch tracker found fewer than two voiced frames")
    return {"mel": mel, "f0_hz": f0_hz, "energy": frame_energy(magnitude)[0].numpy()}
