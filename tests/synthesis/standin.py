"""A stand-in acoustic model whose durations and mel are known in advance, and a folder packed with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from speechkd.models.tts.interface import CONTROLS, Spoken
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.models.vocoder.load import Vocoder
from speechkd.synthesis import VoiceManifest, VoiceSource, pack_voice
from speechkd.text import ENGLISH_SYMBOLS, SymbolTable

PRESET = "hifigan_22k"


class StandInConfig(BaseModel):
    n_symbols: int = len(ENGLISH_SYMBOLS)
    n_mels: int = 80
    speakers: tuple[str, ...] = ()
    controls: tuple[str, ...] = CONTROLS


class StandIn(nn.Module):
    """A symbol lasts 2 + its number modulo 3 frames at speed 1; word boundaries last none."""

    kind = "standin"
    takes_durations = True

    def __init__(self, config: StandInConfig) -> None:
        super().__init__()
        self.config = config
        self.table = nn.Embedding(config.n_symbols, config.n_mels)

    @property
    def controls(self) -> frozenset[str]:
        return frozenset(self.config.controls)

    def infer(
        self, tokens: Tensor, token_lengths: Tensor, *,
        speakers: Tensor | None = None, durations: Tensor | None = None, speed=1.0, pitch_semitones=0.0, energy=1.0,
    ) -> Spoken:  # fmt: skip
        frames = torch.round((2 + tokens % 3) * 2 / speed).long()
        frames[tokens == ENGLISH_SYMBOLS.encode(["|"])[0]] = 0
        frames = frames if durations is None else durations
        mel = self.table(tokens[0]).repeat_interleave(frames[0], dim=0)[None] - 5 + pitch_semitones / 12
        mel = mel + torch.tensor(energy).log()
        mel = mel + (0 if speakers is None else speakers[0])
        return Spoken(mel, frames.sum(1), frames)


STAND_INS = {"standin": lambda config: StandIn(StandInConfig.model_validate(dict(config)))}


def pack(folder: Path, vocoder: Vocoder | None = None, **changes: Any) -> VoiceManifest:
    """Pack the stand-in; always the same weights."""
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        "name": "toy",
        "acoustic": StandIn(StandInConfig()),
        "vocoder": vocoder or GriffinLim(PRESET, n_iter=2),
        "symbols": SymbolTable(ENGLISH_SYMBOLS.symbols),
        "mel_preset_name": PRESET,
        "card": "# toy\n",
        "lexicon": {"zyx": ["Z", "IH1", "K", "S"]},
        "source": VoiceSource(recipe="tts/toy", licence="CC0-1.0"),
    }
    return pack_voice(folder, **(arguments | changes))
