"""The log mel of every clip, at the level that the configuration names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipes.tts.common.extract import load_speech
from recipes.vocoder.common.clips import Clips
from speechkd.audio.presets import MelPreset, mel_preset
from speechkd.runner import Context, Item


@dataclass(frozen=True)
class Extraction:
    """What every clip is extracted with."""

    preset: MelPreset
    loudness_dbfs: float | None


def run(cfg: Any, ctx: Context) -> None:
    """Write `mels`: an item per clip, `mel` (frames, n_mels)."""
    clips = Clips.read(ctx.input("manifest"), cfg.corpora)
    how = Extraction(mel_preset(cfg.audio.mel), cfg.audio.loudness_dbfs)
    ctx.map(_extract, [(id_, str(path)) for id_, path in clips], "mels", common=how, max_errors=cfg.run.max_errors)


def _extract(_id: str, path: str, how: Extraction) -> Item:
    import torch

    from speechkd.audio.mel import mel_spectrogram

    samples = load_speech(Path(path), how.preset, how.loudness_dbfs)
    mel = mel_spectrogram(torch.from_numpy(samples)[None], how.preset)[0].numpy()
    return Item({"mel": mel}, {"n_frames": len(mel)})
