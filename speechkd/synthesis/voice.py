"""A loaded voice: text in, speech out."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from speechkd.audio.presets import MelPreset
from speechkd.errors import ArtifactError, NothingToSpeak, UsageError
from speechkd.synthesis.engines.interface import Controls, Engine
from speechkd.text.long_text import cut_long
from speechkd.synthesis.manifest import VoiceManifest
from speechkd.synthesis.speech import Speech, join, timed_tokens
from speechkd.text import Frontend, SymbolTable, Tokens, split_sentences

# Seeds are whole numbers under this; torch refuses larger ones.
SEEDS = 2**63
# Beyond these a model is far from anything it has heard.
RANGES = {"speed": (0.25, 4.0), "pitch": (-12.0, 12.0), "energy": (0.25, 4.0)}
_NEUTRAL = {"speed": 1.0, "pitch": 0.0, "energy": 1.0}


class Voice:
    """Speaks. Made by `load_voice`; holds nothing that changes between calls."""

    def __init__(
        self, manifest: VoiceManifest, engine: Engine, symbols: SymbolTable, frontend: Frontend, preset: MelPreset
    ) -> None:
        self.manifest = manifest
        self.engine = engine
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
        return self.manifest.speaker_names

    @property
    def step_counts(self) -> tuple[int, ...]:
        """The numbers of denoising steps that it can speak in, rising; empty for a voice that has no steps."""
        return self.engine.step_counts

    def synthesize(
        self,
        text: str,
        speed: float = 1.0,
        pitch: float = 0.0,
        energy: float = 1.0,
        seed: int = 0,
        speaker: str | None = None,
        steps: int | None = None,
    ) -> Speech:
        """Speak `text`, sentence by sentence; the same arguments give the same samples.

        `speed` 0.25 to 4 (2 is twice as fast), `pitch` -12 to 12 semitones, `energy` 0.25 to 4 (a factor).
        `speaker`: one of `speakers`, the first unless given. `steps`: one of `step_counts`, the last unless given;
        fewer are faster. Raises UsageError for a text with nothing to speak, for a control or a seed outside its range,
        a control or a number of steps that this voice does not have, and for an unknown speaker.
        """
        check_controls(speed=speed, pitch=pitch, energy=energy)
        check_seed(seed)
        self._check_obeyed(speed=speed, pitch=pitch, energy=energy)
        self._check_steps(steps)
        controls = Controls(self._speaker_number(speaker), speed, pitch, energy, steps)
        sentences = self.sentences(text)
        if not sentences:
            shown = text.strip()[:40]
            why = f"no word is left of {shown!r}" if shown else "the text is empty"
            raise UsageError("there is nothing to speak", why=why, todo="Give a text with at least one word")
        with self.engine.seeded(seed):
            return join([self._speak(tokens, controls) for tokens in sentences])

    def sentences(self, text: str) -> list[Tokens]:
        """The tokens of each sentence that has a word; a line of dashes between two sentences is passed over.

        A sentence that is too long to be spoken at once comes in pieces.
        """
        return list(self._sentences(text))

    def _sentences(self, text: str) -> Iterator[Tokens]:
        for sentence in split_sentences(text):
            try:
                tokens = self._frontend.tokens(sentence)
            except NothingToSpeak:
                continue
            yield from cut_long(tokens)

    def numbers(self, tokens: Tokens) -> list[int]:
        """The numbers (T,) of an utterance's symbols, as the acoustic model reads them."""
        return self._symbols.encode(tokens.symbols)

    def _check_obeyed(self, **controls: float) -> None:
        """UsageError for a control that is asked for and that the model does not have."""
        for name, value in controls.items():
            if value != _NEUTRAL[name] and name not in self.engine.controls:
                known = ", ".join(each for each in _NEUTRAL if each in self.engine.controls) or "nothing"
                why = f"a {self.manifest.acoustic.model} model controls {known}"
                raise UsageError(f"the voice {self.name} has no control of {name}", why=why, todo=f"Leave {name} out")

    def _check_steps(self, steps: int | None) -> None:
        """UsageError for a number of steps that the model's schedule does not allow, or of a model without steps."""
        if steps is None or steps in self.step_counts:
            return
        kind = self.manifest.acoustic.model
        if not self.step_counts:
            why = f"a {kind} model does not speak by denoising"
            raise UsageError(f"the voice {self.name} has no steps to choose", why=why, todo="Leave steps out")
        why = f"the {kind} model was trained for {self.step_counts[-1]}, which these must divide"
        known = ", ".join(map(str, self.step_counts))
        raise UsageError(f"the voice {self.name} cannot speak in {steps} steps", why=why, todo=f"Choose from {known}")

    def _speaker_number(self, speaker: str | None) -> int:
        if speaker is None:
            return 0
        if speaker not in self.speakers:
            known = ", ".join(self.speakers) or "it has one speaker only"
            raise UsageError(f"the voice {self.name} has no speaker {speaker!r}", todo=f"Known: {known}")
        return self.speakers.index(speaker)

    def _speak(self, tokens: Tokens, controls: Controls) -> Speech:
        made = self.engine.predict(self.numbers(tokens), controls)
        if made.n_frames < 1:
            why = f"it gives no frame to {' '.join(word.text for word in tokens.words)[:60]!r}"
            raise ArtifactError("the voice made no sound", where=self.name, why=why, todo="Train it for longer")
        sound = made.samples if made.mel is None else self.engine.vocode(made.mel)
        if sound is None:
            why = f"a {self.manifest.acoustic.model} model makes mels, and the voice has no vocoder"
            raise ArtifactError("the voice made no sound", where=self.name, why=why, todo="Pack it with a vocoder")
        samples = np.clip(sound[: made.n_frames * self._preset.hop_samples], -1.0, 1.0).astype(np.float32)
        words, phones = timed_tokens(tokens, made.durations.tolist(), self._preset.hop_s)
        return Speech(samples, self.sample_rate, words, phones)


def check_controls(**controls: float) -> None:
    """UsageError naming the first control outside its range in `RANGES`."""
    for name, value in controls.items():
        low, high = RANGES[name]
        if not math.isfinite(value) or not low <= value <= high:
            raise UsageError(f"{name} is {value:g}", todo=f"Choose a value from {low:g} to {high:g}")


def check_seed(seed: int) -> None:
    """UsageError for a seed that is none of `SEEDS`."""
    if not 0 <= seed < SEEDS:
        raise UsageError(f"seed is {seed}", todo=f"Choose a whole number from 0 to {SEEDS - 1}")
