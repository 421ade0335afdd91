"""Pitch and energy of what is spoken, beside the recordings (FastSpeech 2, section 3.2.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from recipes.tts.claims.systems import finished
from recipes.tts.common.claims.systems import System, write_json
from recipes.tts.common.infer import COPY, PREDICTED, RECORDING, TRUE_DURATIONS
from speechkd.audio.io import read_audio
from speechkd.audio.mel import linear_spectrogram
from speechkd.audio.presets import MelPreset, mel_preset
from speechkd.errors import DataError
from speechkd.features.energy import frame_energy
from speechkd.features.pitch import extract_f0
from speechkd.features.statistics import Statistics
from speechkd.metrics.moments import moments
from speechkd.metrics.pitch_distance import pitch_dtw_hz
from speechkd.runner import Context, Item, ItemStore

#: Rows of the paper's table that are measured here; recordings and copies come before them.
HEARD = ("teacher", "fastspeech", "fastspeech2", "fastspeech2_paper", "fastspeech2_no_cwt", "fastspeech2s")
RECORDINGS, COPIES = "recordings", "copy synthesis"


@dataclass(frozen=True)
class Setting:
    """What contours are drawn with."""

    systems: dict[str, System]
    preset: MelPreset
    method: Literal["dio", "harvest"]


def run(cfg: Any, ctx: Context) -> None:
    """Write `contours`: F0 per system and utterance; and `pitch`: pitch.json."""
    there = {name: each for name, each in finished(cfg.systems).items() if name in HEARD and each.has("samples")}
    setting = Setting(there, mel_preset(cfg.audio.mel), cfg.pitch.f0)
    ids = _shared(there)
    sources = [(RECORDINGS, next(iter(there)), RECORDING), (COPIES, next(iter(there)), COPY)] if there else []
    sources += [(name, name, PREDICTED) for name in there]
    items = [(f"{title}--{id_}", (system, kind, id_)) for title, system, kind in sources for id_ in ids]
    ctx.map(draw_contour, items, "contours", common=setting)
    store = ItemStore(ctx.output("contours"))
    found: dict[str, Any] = {"utterances": len(ids), "f0": cfg.pitch.f0, "systems": {}}
    with ctx.progress(len(sources), "pitch") as bar:
        for title, _, _ in sources:
            found["systems"][title] = described(store, title, ids)
            bar.advance()
    write_json(ctx.output("pitch") / "pitch.json", found)


def _shared(there: Mapping[str, System]) -> list[str]:
    """The held-out utterances that all systems have spoken."""
    sets = [set(each.store("samples").ids) for each in there.values()]
    return sorted(set.intersection(*sets)) if sets else []


def draw_contour(_id: str, value: tuple[str, str, str], setting: Setting) -> Item:
    """F0 (F,) of one sound file in Hz; and with true durations the error of its energy, frame by frame."""
    name, kind, id_ = value
    system = setting.systems[name]
    samples = _read(system, kind, id_, setting.preset)
    preset = setting.preset
    n_frames = len(samples) // preset.hop_samples
    f0_hz = extract_f0(samples, preset.sample_rate, preset.hop_samples, n_frames, setting.method)
    forced = COPY if kind == COPY else TRUE_DURATIONS
    meta: dict[str, Any] = {}
    if kind != RECORDING and (system.artifact("samples") / forced).is_dir():
        deviation = Statistics.read(system.artifact("features") / "stats.json").energy_deviation
        meta["energy_mae"] = energy_error(
            _read(system, RECORDING, id_, preset), _read(system, forced, id_, preset), preset, deviation
        )
    return Item({"f0_hz": f0_hz}, meta)


def _read(system: System, kind: str, id_: str, preset: MelPreset) -> npt.NDArray[np.float32]:
    return read_audio(system.artifact("samples") / kind / f"{id_}.wav", preset.sample_rate).samples


def energy_error(
    recording: npt.NDArray[np.float32], spoken: npt.NDArray[np.float32], preset: MelPreset, deviation: float
) -> float:
    """Mean |Δenergy| of two sounds of the same timing, in deviations of the corpus's frame energy."""
    energies = [
        frame_energy(linear_spectrogram(torch.from_numpy(each)[None], preset))[0].numpy()
        for each in (recording, spoken)
    ]
    if abs(len(energies[0]) - len(energies[1])) > 1:
        raise DataError("sounds of other timing", why=f"{len(energies[0])} and {len(energies[1])} frames")
    n_frames = min(map(len, energies))
    return float(np.mean(np.abs(energies[0][:n_frames] - energies[1][:n_frames])) / deviation)


def described(store: ItemStore, title: str, ids: Sequence[str]) -> dict[str, Any]:
    """Moments over all voiced frames, distance from the recordings' contours, mean energy error."""
    contours = {id_: store.array(f"{title}--{id_}", "f0_hz") for id_ in ids}
    voiced = np.concatenate([f0_hz[f0_hz > 0] for f0_hz in contours.values()])
    row: dict[str, Any] = {"frames": int(sum(map(len, contours.values()))), "voiced_frames": len(voiced)}
    try:
        row |= moments(voiced).to_json()
    except DataError as error:
        return row | {"silent": str(error)}
    if title != RECORDINGS:
        distances = []
        for id_ in ids:
            recorded = store.array(f"{RECORDINGS}--{id_}", "f0_hz")
            if (contours[id_] > 0).any() and (recorded > 0).any():
                distances.append(pitch_dtw_hz(recorded, contours[id_]))
        row["dtw_hz"] = float(np.mean(distances)) if distances else None
    errors = [store.meta(f"{title}--{id_}").get("energy_mae") for id_ in ids]
    known = [each for each in errors if each is not None]
    return row | {"energy_mae": float(np.mean(known)) if known else None}
