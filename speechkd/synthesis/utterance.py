"""From one line of a script to speech: frames, pitch and loudness word by word, and when everything is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from speechkd.audio.presets import MelPreset
from speechkd.errors import ArtifactError, UsageError
from speechkd.synthesis.controls import Controls
from speechkd.synthesis.engines.interface import Delivery, Engine, FloatArray, Predicted
from speechkd.synthesis.loudness import limited, with_effort
from speechkd.synthesis.speech import Speech, Timed, timed_tokens
from speechkd.text import Tokens
from speechkd.text.line import NEUTRAL, Line, Prosody

#: About 0.4 s: how long the first piece of a text's sound is, so that it is soon heard.
EARLY_FRAMES = 35
#: A line's first and last samples; shorter than the burst of a "p".
FADE_S = 0.003


@dataclass(frozen=True)
class Shape:
    """What is asked of the tokens (T,) of a line, beside what is asked of the whole text."""

    rates: tuple[float, ...]
    semitones: FloatArray
    volumes: FloatArray

    @classmethod
    def of(cls, line: Line) -> Shape:
        """That of a line. A pause is said as the word before it, the opening as the first word."""
        each = _prosody_of_tokens(line) if line.prosody or line.phones else []
        rates = tuple(prosody.rate for prosody in each)
        return cls(
            rates if set(rates) - {1.0} else (),
            np.asarray([prosody.pitch for prosody in each] or [0.0], np.float32),
            np.asarray([prosody.volume for prosody in each] or [1.0], np.float32),
        )


def _prosody_of_tokens(line: Line) -> list[Prosody]:
    """Of the word that each token (T,) belongs to, and of the phone that it is."""
    index = line.tokens.word_index
    words = line.prosody or (NEUTRAL,) * len(line.tokens.words)
    each = [words[word] for word in np.maximum.accumulate(np.maximum(index, 0))]
    places = [token for token, word in enumerate(index) if word >= 0]
    for phone, prosody in line.phones:
        each[places[phone]] = each[places[phone]] * prosody
    return each


class LineSpeaker:
    """Says lines with an engine; holds nothing that changes. `numbers` are those of a line's symbols (T,)."""

    def __init__(self, name: str, engine: Engine, preset: MelPreset, numbers: Callable[[Tokens], list[int]]) -> None:
        self._name, self._engine, self._preset, self._numbers = name, engine, preset, numbers

    def pieces(self, line: Line, speaker: int, controls: Controls, early: bool = False) -> Iterator[Speech]:
        """The line as it is made, between its silences; in two pieces if it is to be heard `early` and the vocoder can.

        What it draws by chance it draws before it gives its first piece. Raises ArtifactError for a model that gives no
        sound, UsageError for a pitch or a rate of single words that this voice cannot give.
        """
        shape = Shape.of(line)
        made = self._engine.predict(self._numbers(line.tokens), self._delivery(speaker, controls, shape))
        if made.n_frames < 1:
            why = f"it gives no frame to {' '.join(word.text for word in line.tokens.words)[:60]!r}"
            raise ArtifactError("the voice made no sound", where=self._name, why=why, todo="Train it for longer")
        times = _Times.of(line, made.durations, self._preset)
        gains = self._gains(made, controls, shape)
        sounds = self._sounds(made, controls, shape, early)
        sounds, start = chain([next(sounds)], sounds), 0
        yield from self._silence(line.before_s)
        for sound in sounds:
            end = min(start + len(sound), made.n_frames * self._preset.hop_samples)
            last = end == made.n_frames * self._preset.hop_samples
            samples = limited(sound[: end - start] * (gains[start:end] if gains.size > 1 else gains))
            self._fade(samples, first=not start, last=last)
            yield times.speech(samples, start, last=last)
            start = end
        yield from self._silence(line.pause_s * (1.0 if line.exact_pause else controls.pauses))

    def _fade(self, samples: FloatArray, *, first: bool, last: bool) -> None:
        """In place: a line begins and ends in nothing, so that it joins what is before and behind without a click."""
        ramp = np.linspace(0.0, 1.0, round(FADE_S * self._preset.sample_rate), dtype=np.float32)[: len(samples)]
        if first:
            samples[: len(ramp)] *= ramp
        if last:
            samples[len(samples) - len(ramp) :] *= ramp[::-1]

    def _delivery(self, speaker: int, controls: Controls, shape: Shape) -> Delivery:
        """What is left to the acoustic model: what neither the vocoder nor a gain can do exactly."""
        if shape.rates and "speed" not in self._engine.controls:
            why = "its model finds the lengths of phones while it speaks"
            raise UsageError(f"the voice {self._name} has no rate of single words", why=why, todo="Leave rates out")
        pitch = 0.0
        if not self._engine.shifts_pitch:
            if np.ptp(shape.semitones):
                why = "its vocoder keeps to the pitch of the model, which has one for the whole line"
                todo = "Ask for one pitch for whole sentences"
                raise UsageError(f"the voice {self._name} has no pitch of single words", why=why, todo=todo)
            pitch = controls.pitch + float(shape.semitones[0])
        energy = 1.0 if self._engine.has_vocoder else controls.energy
        return Delivery(speaker, controls.speed, pitch, energy, controls.steps, shape.rates)

    def _sounds(self, made: Predicted, controls: Controls, shape: Shape, early: bool) -> Iterator[FloatArray]:
        if made.mel is None:
            assert made.samples is not None
            yield made.samples
            return
        mel = with_effort(made.mel, controls.energy, self._preset)
        pitch = self._pitch(made, controls, shape)
        pieces = self._engine.vocode_early(mel, EARLY_FRAMES, pitch) if early else None
        if pieces is not None:
            yield from pieces
            return
        sound = self._engine.vocode(mel, pitch)
        if sound is None:
            why = "its model makes mels, and it has no vocoder"
            raise ArtifactError("the voice made no sound", where=self._name, why=why, todo="Pack it with a vocoder")
        yield sound

    def _pitch(self, made: Predicted, controls: Controls, shape: Shape) -> FloatArray | None:
        """Factors (F,) for the vocoder; None where nothing changes or the model has seen to it."""
        semitones = controls.pitch + _per_frame(shape.semitones, made.durations)
        if not self._engine.shifts_pitch or not semitones.any():
            return None
        return (2.0 ** (semitones / 12.0)).astype(np.float32)

    def _gains(self, made: Predicted, controls: Controls, shape: Shape) -> FloatArray:
        """Factors (F * hop,) on the samples, or one for all of them (1,)."""
        whole = controls.volume * (controls.energy if made.mel is not None else 1.0)
        if not np.ptp(shape.volumes):
            return np.asarray([whole * shape.volumes[0]], np.float32)
        hop = self._preset.hop_samples
        frames = np.arange(made.n_frames) * hop + hop / 2
        volumes = _per_frame(shape.volumes, made.durations)
        # Straight lines from the middle of a frame to that of the next: a step would click.
        return (whole * np.interp(np.arange(made.n_frames * hop), frames, volumes)).astype(np.float32)

    def _silence(self, duration_s: float) -> Iterator[Speech]:
        """A silence of that length, if it is any."""
        n_samples = round(duration_s * self._preset.sample_rate)
        if n_samples:
            silent = Timed("", 0.0, n_samples / self._preset.sample_rate)
            yield Speech(np.zeros(n_samples, np.float32), self._preset.sample_rate, (), (silent,))


def _per_frame(values: FloatArray, durations: npt.NDArray[np.int64]) -> FloatArray:
    """values of tokens (T,), or one of all (1,), for frames (F,)."""
    return np.repeat(values, durations) if len(values) > 1 else np.full(int(durations.sum()), values[0])


@dataclass(frozen=True)
class _Times:
    """When everything in a line is heard."""

    words: tuple[Timed, ...]
    phones: tuple[Timed, ...]
    marks: tuple[Timed, ...]
    sample_rate: int

    @classmethod
    def of(cls, line: Line, durations: npt.NDArray[np.int64], preset: MelPreset) -> _Times:
        words, phones = timed_tokens(line.tokens, durations.tolist(), preset.hop_s)
        starts = [*(word.start_s for word in words), int(durations.sum()) * preset.hop_s]
        marks = tuple(Timed(name, starts[word], starts[word]) for name, word in line.marks)
        return cls(words, phones, marks, preset.sample_rate)

    def speech(self, samples: FloatArray, start: int, *, last: bool) -> Speech:
        """The piece of the line that begins with its sample `start`, with what begins in it."""
        start_s = start / self.sample_rate
        end_s = float("inf") if last else (start + len(samples)) / self.sample_rate

        def inside(each: Sequence[Timed]) -> tuple[Timed, ...]:
            return tuple(one.shifted(-start_s) for one in each if start_s <= one.start_s < end_s)

        return Speech(samples, self.sample_rate, inside(self.words), inside(self.phones), inside(self.marks))
