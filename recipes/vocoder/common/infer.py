"""Copy synthesis of the held-out clips: from their own mels, and from predicted ones where there are any."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from recipes.tts.common.extract import load_speech
from recipes.vocoder.common.clips import Clips
from recipes.vocoder.common.config import folder_of
from speechkd.audio.io import write_audio
from speechkd.audio.presets import MelPreset, mel_preset
from speechkd.errors import StageError
from speechkd.models.vocoder.load import Vocoder, load_vocoder
from speechkd.models.vocoder.options import VocoderOptions
from speechkd.runner import Context, ItemStore

# Folders of `samples`. Those of other vocoders are named after their labels; `…_predicted` is from predicted mels.
RECORDING, COPY = "recording", "copy"
FROM_PREDICTED = "_predicted"
COPY_TITLE = "copy synthesis"
SYSTEMS = "systems.json"
_OPTIONS: TypeAdapter[Any] = TypeAdapter(VocoderOptions)


@dataclass(frozen=True)
class System:
    """A way of making the clips again: the folder of its samples, its row in the table, its vocoder."""

    folder: str
    title: str
    vocoder: Vocoder


def run(cfg: Any, ctx: Context) -> None:
    """Write `samples`: a folder of WAVs per system, systems.json; and `timing`, which is volatile."""
    mels, predicted = ItemStore(ctx.input("mels")), ItemStore(ctx.input("predicted"))
    preset, clips = mel_preset(cfg.audio.mel), Clips.read(ctx.input("manifest"), cfg.corpora)
    systems = [System(COPY, COPY_TITLE, open_vocoder(ctx.input("vocoder"), preset))]
    for each in cfg.compare:
        vocoder = open_vocoder(each.path, preset, each.level_db)
        systems.append(System(folder_of(each.label), each.label, vocoder))
    held_out = [id_ for id_ in clips.splits["test"] if id_ in mels]
    if not held_out:
        raise StageError("no clip of test has a mel", where=str(mels.folder), todo="See the report of extract")
    out, paths, timing = ctx.output("samples"), dict(clips), []
    _make_folders(out, systems, len(predicted) > 0)
    with ctx.progress(len(held_out), "copying") as bar:
        for id_ in held_out:
            recording = load_speech(paths[id_], preset, cfg.audio.loudness_dbfs)
            write_audio(out / RECORDING / f"{id_}.wav", recording, preset.sample_rate)
            timing.append(
                {"id": id_, "audio_s": len(recording) / preset.sample_rate, **_copy(id_, systems, mels, "", out)}
            )
            if id_ in predicted:
                _copy(id_, systems, predicted, FROM_PREDICTED, out)
            bar.advance()
    _write_timing(ctx.output("timing"), timing, [system.folder for system in systems])


def open_vocoder(path: Path, preset: MelPreset, level_db: float = 0.0) -> Vocoder:
    """The vocoder in a folder, whatever its kind. ConfigError for one of another mel, DataError for a bad one."""
    return load_vocoder(_OPTIONS.validate_python({"path": path}), preset.name, level_db=level_db)


def _make_folders(out: Path, systems: Sequence[System], with_predicted: bool) -> None:
    """Folders of all systems, and systems.json: folder and title of each, the recordings first."""
    titles = {RECORDING: "the recordings themselves"}
    for system in systems:
        titles[system.folder] = system.title
        if with_predicted:
            titles[system.folder + FROM_PREDICTED] = f"{system.title}, from predicted mels"
    for folder in titles:
        (out / folder).mkdir()
    (out / SYSTEMS).write_text(json.dumps(list(titles.items()), indent=1, ensure_ascii=False), encoding="utf-8")


def _copy(id_: str, systems: Sequence[System], mels: ItemStore, suffix: str, out: Path) -> dict[str, float]:
    """Write what every system makes of a mel; returns the seconds that each took."""
    mel = torch.from_numpy(mels.array(id_, "mel"))[None]
    seconds = {}
    for system in systems:
        start = time.perf_counter()
        samples = system.vocoder(mel)[0].numpy()
        seconds[system.folder] = time.perf_counter() - start
        rate = mel_preset(system.vocoder.mel_preset_name).sample_rate
        write_audio(out / (system.folder + suffix) / f"{id_}.wav", samples, rate)
    return seconds


def _write_timing(folder: Path, rows: Sequence[Mapping[str, Any]], systems: Sequence[str]) -> None:
    """Per clip, and as real-time factors; the first clip warms up and does not count."""
    counted = rows[1:] or rows
    audio_s = sum(row["audio_s"] for row in counted)
    factors = {system: sum(row[system] for row in counted) / audio_s for system in systems}
    summary = {"rows": rows, "real_time_factor": factors, "threads": torch.get_num_threads()}
    (folder / "timing.json").write_text(json.dumps(summary, indent=1, sort_keys=True), encoding="utf-8")
