"""Mel, F0, energy and durations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from recipes.tts.common.manifest import Manifest
from speechkd.align import Alignment, token_durations
from speechkd.audio.io import Samples, normalise_loudness, read_audio
from speechkd.audio.presets import MelPreset, mel_preset
from speechkd.errors import DataError
from speechkd.features.statistics import Statistics, StatisticsCollector
from speechkd.runner import Context, Item, ItemStore
from speechkd.text import Tokens

# Utterances that are summed up at a time: few enough for many workers, enough to be worth a task.
_LEAST_COUNTED, _COUNTS = 64, 256


@dataclass(frozen=True)
class Extraction:
    """What every utterance is extracted with."""

    preset: MelPreset
    loudness_dbfs: float | None
    f0_method: Literal["dio", "harvest"]


@dataclass(frozen=True)
class Sources:
    """What a worker needs besides a recording: the settings, and the stores of tokens as said and of alignments."""

    how: Extraction
    tokens: ItemStore
    alignment: ItemStore


def run(cfg: Any, ctx: Context) -> None:
    """Write `features`: arrays per utterance, stats.json over the training utterances, and lhotse cuts."""
    manifest = Manifest.read(ctx.input("manifest"))
    sources = Sources(
        Extraction(mel_preset(cfg.audio.mel), cfg.audio.loudness_dbfs, cfg.features.f0),
        tokens=ctx.store("spoken"),
        alignment=ctx.store("alignment"),
    )
    # Paths alone: tokens and alignments are read by the workers, shard by shard.
    items = (
        (each.id, str(manifest.audio_path(each, cfg.corpus)))
        for each in manifest.utterances
        if each.id in sources.alignment
    )
    ctx.map(_extract, items, "features", common=sources, max_errors=cfg.run.max_errors)
    out = ctx.output("features")
    store = ItemStore(out)
    _statistics(ctx, store, [id_ for id_ in manifest.splits["train"] if id_ in store]).write(out / "stats.json")
    manifest.write_cuts(out / "cuts.jsonl", store, sources.how.preset)


def _statistics(ctx: Context, features: ItemStore, ids: list[str]) -> Statistics:
    """The statistics of utterances, which the workers read: their sums do not depend on how the ids are cut."""
    size = max(_LEAST_COUNTED, len(ids) // _COUNTS)
    parts = [(f"{start:09d}", ids[start : start + size]) for start in range(0, len(ids), size)]
    counted = ctx.gather(_count, parts, "statistics", common=features)
    total = StatisticsCollector()
    for part in counted.ids:
        total.merge(StatisticsCollector.from_json(counted.meta(part)))
    return total.statistics()


def _count(_part: str, ids: list[str], features: ItemStore) -> Item:
    collector = StatisticsCollector()
    for arrays in map(features.arrays, ids):
        collector.add(arrays["mel"], arrays["f0_hz"], arrays["energy"])
    return Item(meta=collector.to_json())


def load_speech(path: Path, preset: MelPreset, loudness_dbfs: float | None) -> Samples:
    """A recording at the preset's rate and the wanted level, cut to whole frames: (n_frames * hop,)."""
    samples = read_audio(path, preset.sample_rate).samples
    samples = samples[: len(samples) // preset.hop_samples * preset.hop_samples]
    if len(samples) < preset.n_fft:
        raise DataError(f"recording is shorter than one window of {preset.n_fft} samples", where=str(path))
    return samples if loudness_dbfs is None else normalise_loudness(samples, loudness_dbfs)


def _extract(id_: str, path: str, sources: Sources) -> Item:
    preset = sources.how.preset
    arrays = acoustic_features(load_speech(Path(path), preset, sources.how.loudness_dbfs), sources.how)
    n_frames = len(arrays["mel"])
    alignment, tokens = Alignment.from_json(sources.alignment.meta(id_)), Tokens.from_json(sources.tokens.meta(id_))
    durations = token_durations(alignment, tokens, n_frames, preset.hop_s)
    if int(durations.sum()) != n_frames:
        raise DataError(f"{id_}: durations sum to {durations.sum()}, not to {n_frames} frames")
    return Item(arrays | {"durations": durations.astype(np.int32)}, {"n_frames": n_frames})


def acoustic_features(samples: Samples, how: Extraction) -> dict[str, np.ndarray]:
    """mel (F, n_mels), f0_hz (F,), energy (F,) of samples (F * hop,). DataError when nothing is voiced."""
    # Here, because the runner's own process needs neither torch nor WORLD.
    import torch

    from speechkd.audio.mel import linear_spectrogram, mel_from_linear
    from speechkd.features.energy import frame_energy
    from speechkd.features.pitch import MIN_VOICED_FRAMES, extract_f0

    magnitude = linear_spectrogram(torch.from_numpy(samples)[None], how.preset)
    mel = mel_from_linear(magnitude, how.preset)[0].numpy()
    f0_hz = extract_f0(samples, how.preset.sample_rate, how.preset.hop_samples, len(mel), how.f0_method)
    if np.count_nonzero(f0_hz) < MIN_VOICED_FRAMES:
        raise DataError("no voiced speech found", why="the pitch tracker found fewer than two voiced frames")
    return {"mel": mel, "f0_hz": f0_hz, "energy": frame_energy(magnitude)[0].numpy()}
