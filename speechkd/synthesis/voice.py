"""A loaded voice: text in, speech out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from speechkd.audio.presets import MelPreset
from speechkd.errors import NothingToSpeak, UsageError
from speechkd.synthesis.controls import RANGES, SEEDS, Controls
from speechkd.synthesis.engines.interface import Engine
from speechkd.synthesis.manifest import VoiceManifest
from speechkd.synthesis.speech import Speech, join
from speechkd.synthesis.utterance import LineSpeaker
from speechkd.text import Frontend, SymbolTable, Tokens
from speechkd.text.script import Line, Prosody, lines_of_ssml, lines_of_text

# Lines draw from seeds of their own, far from those that people choose: 2**64 over the golden ratio, as hashes do it.
_SEED_STEP = 0x9E3779B97F4A7C15


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
        self._lines = LineSpeaker(manifest.name, engine, preset, self.numbers)

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

    @property
    def controls(self) -> tuple[str, ...]:
        """The names of the numbers among its controls that it obeys."""
        own = set(self.engine.controls) | {"volume", "pauses"}
        own |= {"pitch"} if self.engine.shifts_pitch else set()
        own |= {"energy"} if self.engine.has_vocoder else set()
        return tuple(name for name in RANGES if name in own)

    def synthesize(
        self,
        text: str,
        speed: float = 1.0,
        pitch: float = 0.0,
        energy: float = 1.0,
        seed: int = 0,
        speaker: str | None = None,
        steps: int | None = None,
        *,
        volume: float = 1.0,
        pauses: float = 1.0,
        ssml: bool = False,
    ) -> Speech:
        """Speak `text`, sentence by sentence; the same arguments give the same samples.

        `speed` 0.25 to 4 (2 is twice as fast), `pitch` -12 to 12 semitones, `energy` 0.25 to 4 (a factor: how
        forcefully), `volume` 0 to 4 (a factor on the samples, which never clip), `pauses` 0 to 4 (a factor of the
        silences between sentences). `speaker`: one of `speakers`, the first unless given. `steps`: one of
        `step_counts`, the last unless given; fewer are faster. With `ssml` the text is an SSML document (docs/ssml.md).
        Raises UsageError for a text with nothing to speak, for a control or a seed outside its range, a control or a
        number of steps that this voice does not have, and for an unknown speaker; DataError with line and column for a
        mistake in a document.
        """
        return join(
            list(self.say(text, Controls(speed, pitch, energy, volume, pauses, seed, speaker, steps), ssml=ssml))
        )

    def stream(
        self,
        text: str,
        speed: float = 1.0,
        pitch: float = 0.0,
        energy: float = 1.0,
        seed: int = 0,
        speaker: str | None = None,
        steps: int | None = None,
        *,
        volume: float = 1.0,
        pauses: float = 1.0,
        ssml: bool = False,
    ) -> Iterator[Speech]:
        """The pieces of what `synthesize` returns, as they are made; their times are from the start of the piece."""
        return self.say(text, Controls(speed, pitch, energy, volume, pauses, seed, speaker, steps), ssml=ssml)

    def say(
        self,
        text: str | Iterable[str],
        controls: Controls,
        phones: Mapping[int, Prosody] | None = None,
        *,
        ssml: bool = False,
    ) -> Iterator[Speech]:
        """As `stream`, with all controls in one. What is wrong with them, or a text without words, is raised at once.

        A plain text may come in pieces, in whose memory it is then spoken. `phones` changes single phones, by their
        place among the phones of the whole text, pauses not counted. A place that the text does not reach is a
        UsageError, after all is said.
        """
        self.check(controls)
        lines = self._lines_of(text, ssml)
        try:
            first = next(lines)
        except NothingToSpeak as error:
            shown = text.strip()[:40] if isinstance(text, str) else ""
            why = f"no word is left of {shown!r}" if shown else "the text is empty"
            todo = "Give a text with at least one word"
            raise UsageError("there is nothing to speak", why=why, todo=todo) from error
        return self._spoken(_with_phones(chain([first], lines), phones or {}), controls)

    def _lines_of(self, text: str | Iterable[str], ssml: bool) -> Iterator[Line]:
        if not ssml:
            return lines_of_text(text, self._frontend)
        return lines_of_ssml(text if isinstance(text, str) else "".join(text), self._frontend)

    def _spoken(self, lines: Iterator[Line], controls: Controls) -> Iterator[Speech]:
        for number, line in enumerate(lines):
            speaker = self._speaker_number(self._who(line) or controls.speaker)
            seed = (controls.seed + number * _SEED_STEP) % SEEDS
            pieces = self._lines.pieces(line, speaker, controls, early=not number)
            # Not around the loop: whoever takes the pieces may draw something in between.
            with self.engine.seeded(seed):
                first = next(pieces)
            yield first
            yield from pieces

    def _who(self, line: Line) -> str | None:
        """The speaker that an SSML document names: by <voice>, which here chooses among the speakers of one voice."""
        if line.voice is None or line.voice == self.name or line.speaker:
            return line.speaker
        if line.voice not in self.speakers:
            known = ", ".join((self.name, *self.speakers))
            todo = f"Known here: {known}; another voice speaks a document of its own"
            raise UsageError(f"there is no voice {line.voice!r} in the voice {self.name}", todo=todo)
        return line.voice

    def sentences(self, text: str) -> list[Tokens]:
        """The tokens of each sentence that has a word; a line of dashes between two sentences is passed over.

        A sentence that is too long to be spoken at once comes in pieces.
        """
        return [line.tokens for line in lines_of_text(text, self._frontend)]

    def numbers(self, tokens: Tokens) -> list[int]:
        """The numbers (T,) of an utterance's symbols, as the acoustic model reads them."""
        return self._symbols.encode(tokens.symbols)

    def check(self, controls: Controls) -> None:
        """UsageError for a control that is asked for and that this voice does not have, as for an unknown speaker."""
        for name in controls.changed():
            if name not in self.controls:
                why = f"it obeys {', '.join(self.controls)}"
                raise UsageError(f"the voice {self.name} has no control of {name}", why=why, todo=f"Leave {name} out")
        self._check_steps(controls.steps)
        self._speaker_number(controls.speaker)

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


def _with_phones(lines: Iterable[Line], phones: Mapping[int, Prosody]) -> Iterator[Line]:
    """The lines, each with those of the changes that are its phones'."""
    first = 0
    for line in lines:
        own = tuple((place, phones[first + place]) for place in range(line.n_phones) if first + place in phones)
        yield replace(line, phones=own) if own else line
        first += line.n_phones
    if beyond := [place for place in phones if not 0 <= place < first]:
        todo = f"Choose places from 0 to {first - 1}"
        raise UsageError(f"phone {beyond[0]} cannot be changed", why=f"the text has {first} phones", todo=todo)
