"""A loaded voice: text in, speech out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from speechkd.audio.mel import MelPreset
from speechkd.errors import ArtifactError, NothingToSpeak, UsageError
from speechkd.models.vocoder.load import Vocoder
from speechkd.synthesis.manifest import VoiceManifest
from speechkd.synthesis.speech import Speech, join, timed_tokens
from speechkd.text import Frontend, SymbolTable, Tokens, split_sentences

# Beyond these a model is far from anything it has heard.
RANGES = {"speed": (0.25, 4.0), "pitch": (-12.0, 12.0), "energy": (0.25, 4.0)}


class AcousticModel(Protocol):
    """Tokens to mel."""

    def infer(
        self, tokens: Tensor, token_lengths: Tensor, *, speed: float, pitch_semitones: float, energy: float
    ) -> Any:
        """tokens (B, T), token_lengths (B,) to mel (B, F, n_mels), mel_lengths (B,) and durations (B, T)."""
        ...


class Voice:
    """Speaks. Made by `load_voice`; holds nothing that changes between calls."""

    def __init__(
        self,
        manifest: VoiceManifest,
        acoustic: AcousticModel,
        vocoder: Vocoder,
        symbols: SymbolTable,
        frontend: Frontend,
        preset: MelPreset,
    ) -> None:
        self.manifest = manifest
        self._acoustic = acoustic
        self._vocoder = vocoder
        self._symbols = symbols
        self._frontend = frontend
        self._preset = preset

    @property
    def name(self) -> str:
        """The voice's name."""
        return self.manifest.name

    @property
    def sample_rate(self) -> int:
        """Sample rate of its speech in Hz."""
        return self._preset.sample_rate

    def synthesize(
        self, text: str, speed: float = 1.0, pitch: float = 0.0, energy: float = 1.0, seed: int = 0
    ) -> Speech:
        """Speak `text`, sentence by sentence; the same arguments give the same samples.

        `speed` 0.25 to 4 (2 is twice as fast), `pitch` -12 to 12 semitones, `energy` 0.25 to 4 (a factor).
        Raises UsageError for a text with nothing to speak and for a control outside its range.
        """
        check_controls(speed=speed, pitch=pitch, energy=energy)
        sentences = list(self._sentences(text))
        if not sentences:
            shown = text.strip()[:40]
            why = f"no word is left of {shown!r}" if shown else "the text is empty"
            raise UsageError("there is nothing to speak", why=why, todo="Give a text with at least one word")
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(seed)
            return join([self._speak(tokens, speed, pitch, energy) for tokens in sentences])

    def _sentences(self, text: str) -> Iterator[Tokens]:
        """The tokens of each sentence that has a word; a line of dashes between two sentences is passed over."""
        for sentence in split_sentences(text):
            try:
                yield self._frontend.tokens(sentence)
            except NothingToSpeak:
                continue

    def _speak(self, tokens: Tokens, speed: float, pitch: float, energy: float) -> Speech:
        numbers = torch.tensor([self._symbols.encode(tokens.symbols)], dtype=torch.long)
        lengths = torch.tensor([numbers.shape[1]])
        made = self._acoustic.infer(numbers, lengths, speed=speed, pitch_semitones=pitch, energy=energy)
        n_frames = int(made.mel_lengths[0])
        if n_frames < 1:
            why = f"it gives no frame to {' '.join(word.text for word in tokens.words)[:60]!r}"
            raise ArtifactError("the voice made no sound", where=self.name, why=why, todo="Train it for longer")
        samples = self._vocoder(made.mel[:1, :n_frames])[0].clamp(-1.0, 1.0)
        words, phones = timed_tokens(tokens, made.durations[0].tolist(), self._preset.hop_s)
        return Speech(samples.cpu().numpy().astype(np.float32), self.sample_rate, words, phones)


def check_controls(**controls: float) -> None:
    """UsageError naming the first control outside its range in `RANGES`."""
    for name, value in controls.items():
        low, high = RANGES[name]
        if not math.isfinite(value) or not low <= value <= high:
            raise UsageError(f"{name} is {value:g}", todo=f"Choose a value from {low:g} to {high:g}")
