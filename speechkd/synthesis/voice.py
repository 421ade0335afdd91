"""A loaded voice: text in, speech out."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from speechkd.audio.mel import MelPreset
from speechkd.errors import ArtifactError, NothingToSpeak, UsageError
from speechkd.models.tts.interface import CONTROLS, AcousticModel
from speechkd.models.vocoder.load import Vocoder
from speechkd.synthesis.manifest import VoiceManifest
from speechkd.synthesis.speech import Speech, join, timed_tokens
from speechkd.text import Frontend, SymbolTable, Tokens, split_sentences

# Beyond these a model is far from anything it has heard.
RANGES = {"speed": (0.25, 4.0), "pitch": (-12.0, 12.0), "energy": (0.25, 4.0)}
_NEUTRAL = {"speed": 1.0, "pitch": 0.0, "energy": 1.0}


class Voice:
    """Speaks. Made by `load_voice`; holds nothing that changes between calls."""

    def __init__(
        self,
        manifest: VoiceManifest,
        acoustic: AcousticModel,
        vocoder: Vocoder | None,
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

    @property
    def speakers(self) -> tuple[str, ...]:
        """The names of its speakers; empty for a voice of one."""
        return tuple(getattr(self._acoustic.config, "speakers", ()))

    def synthesize(
        self,
        text: str,
        speed: float = 1.0,
        pitch: float = 0.0,
        energy: float = 1.0,
        seed: int = 0,
        speaker: str | None = None,
    ) -> Speech:
        """Speak `text`, sentence by sentence; the same arguments give the same samples.

        `speed` 0.25 to 4 (2 is twice as fast), `pitch` -12 to 12 semitones, `energy` 0.25 to 4 (a factor).
        `speaker`: one of `speakers`, the first unless given. Raises UsageError for a text with nothing to speak, for a
        control outside its range or one that this voice does not have, and for an unknown speaker.
        """
        check_controls(speed=speed, pitch=pitch, energy=energy)
        self._check_obeyed(speed=speed, pitch=pitch, energy=energy)
        number = self._speaker_number(speaker)
        sentences = list(self._sentences(text))
        if not sentences:
            shown = text.strip()[:40]
            why = f"no word is left of {shown!r}" if shown else "the text is empty"
            raise UsageError("there is nothing to speak", why=why, todo="Give a text with at least one word")
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(seed)
            return join([self._speak(tokens, number, speed, pitch, energy) for tokens in sentences])

    def _sentences(self, text: str) -> Iterator[Tokens]:
        """The tokens of each sentence that has a word; a line of dashes between two sentences is passed over."""
        for sentence in split_sentences(text):
            try:
                yield self._frontend.tokens(sentence)
            except NothingToSpeak:
                continue

    def _check_obeyed(self, **controls: float) -> None:
        """UsageError for a control that is asked for and that the model does not have."""
        for name, value in controls.items():
            if value != _NEUTRAL[name] and name not in self._acoustic.controls:
                known = ", ".join(each for each in CONTROLS if each in self._acoustic.controls) or "nothing"
                why = f"a {self.manifest.acoustic.model} model controls {known}"
                raise UsageError(f"the voice {self.name} has no control of {name}", why=why, todo=f"Leave {name} out")

    def _speaker_number(self, speaker: str | None) -> int:
        if speaker is None:
            return 0
        if speaker not in self.speakers:
            known = ", ".join(self.speakers) or "it has one speaker only"
            raise UsageError(f"the voice {self.name} has no speaker {speaker!r}", todo=f"Known: {known}")
        return self.speakers.index(speaker)

    def _speak(self, tokens: Tokens, speaker: int, speed: float, pitch: float, energy: float) -> Speech:
        numbers = torch.tensor([self._symbols.encode(tokens.symbols)], dtype=torch.long)
        lengths = torch.tensor([numbers.shape[1]])
        made = self._acoustic.infer(
            numbers, lengths, speakers=torch.tensor([speaker]), speed=speed, pitch_semitones=pitch, energy=energy
        )
        n_frames = int(made.mel_lengths[0])
        if n_frames < 1:
            why = f"it gives no frame to {' '.join(word.text for word in tokens.words)[:60]!r}"
            raise ArtifactError("the voice made no sound", where=self.name, why=why, todo="Train it for longer")
        sound = made.samples if self._vocoder is None else self._vocoder(made.mel[:1, :n_frames])
        if sound is None:
            why = f"a {self.manifest.acoustic.model} model makes mels, and the voice has no vocoder"
            raise ArtifactError("the voice made no sound", where=self.name, why=why, todo="Pack it with a vocoder")
        samples = sound[0, : n_frames * self._preset.hop_samples].clamp(-1.0, 1.0)
        words, phones = timed_tokens(tokens, made.durations[0].tolist(), self._preset.hop_s)
        return Speech(samples.cpu().numpy().astype(np.float32), self.sample_rate, words, phones)


def check_controls(**controls: float) -> None:
    """UsageError naming the first control outside its range in `RANGES`."""
    for name, value in controls.items():
        low, high = RANGES[name]
        if not math.isfinite(value) or not low <= value <= high:
            raise UsageError(f"{name} is {value:g}", todo=f"Choose a value from {low:g} to {high:g}")
