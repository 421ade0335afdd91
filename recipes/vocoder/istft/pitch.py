"""The stage `pitch`: the pitch of the recordings, which the network learns, and learns its filters at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.tts.common.extract import load_speech
from recipes.vocoder.common.clips import Clips
from recipes.vocoder.common.extract import Extraction
from speechkd.audio.presets import MelPreset, mel_preset
from speechkd.features.pitch import extract_f0
from speechkd.runner import Context, Item

Samples = NDArray[np.float32]
# Of what is voiced nowhere; its pulses are not heard.
_NO_PITCH_HZ = 200.0


def run(cfg: Any, ctx: Context) -> None:
    """Write `pitch`: `f0_hz` (frames,), 0 where unvoiced, of every clip that has a mel."""
    clips, known = Clips.read(ctx.input("manifest"), cfg.corpora), set(ctx.store("mels").ids)
    how = Extraction(mel_preset(cfg.audio.mel), cfg.audio.loudness_dbfs)
    items = [(id_, str(path)) for id_, path in clips if id_ in known]
    ctx.map(_extract, items, "pitch", common=how)


def _extract(_id: str, path: str, how: Extraction) -> Item:
    return Item({"f0_hz": pitch_of(load_speech(Path(path), how.preset, how.loudness_dbfs), how.preset)})


def pitch_of(samples: Samples, preset: MelPreset) -> Samples:
    """F0 in Hz (F,), 0 where unvoiced, of samples (F * hop,)."""
    return extract_f0(samples, preset.sample_rate, preset.hop_samples, len(samples) // preset.hop_samples)


def continuous(f0_hz: Samples) -> Samples:
    """F0 (F,) without gaps: straight lines where it is unvoiced (0), a constant where all is."""
    voiced = np.flatnonzero(f0_hz)
    if not len(voiced):
        return np.full(len(f0_hz), _NO_PITCH_HZ, np.float32)
    return np.interp(np.arange(len(f0_hz)), voiced, f0_hz[voiced]).astype(np.float32)
