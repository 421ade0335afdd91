"""What is said in one breath, and how."""

from __future__ import annotations

from dataclasses import dataclass

from speechkd.text.tokens import Tokens

#: Silence behind a sentence and behind a paragraph, unless another is asked for.
SENTENCE_PAUSE_S = 0.15
PARAGRAPH_PAUSE_S = 0.5


@dataclass(frozen=True)
class Prosody:
    """How a word or a phone is said, on top of what is asked for the whole text."""

    rate: float = 1.0  # factor
    pitch: float = 0.0  # semitones
    volume: float = 1.0  # factor

    def __mul__(self, other: Prosody) -> Prosody:
        """One within the other: factors multiply, semitones add."""
        return Prosody(self.rate * other.rate, self.pitch + other.pitch, self.volume * other.volume)


NEUTRAL = Prosody()


@dataclass(frozen=True)
class Line:
    """An utterance: what is said in one breath.

    `prosody`: one per word of `tokens.words`, or none at all where every word is neutral. `pause_s`: the silence behind
    it in seconds, which a control of pauses stretches unless it is an `exact_pause`, one that somebody asked for.
    `before_s`: silence before it in seconds, always exact and of a text's first line only. `marks`: a name and the
    number of the word before which it stands; the number of words: at the end. `phones`: changes of single phones, by
    their place among all phones of the line.
    """

    tokens: Tokens
    prosody: tuple[Prosody, ...] = ()
    pause_s: float = 0.0
    exact_pause: bool = False
    marks: tuple[tuple[str, int], ...] = ()
    voice: str | None = None
    speaker: str | None = None
    before_s: float = 0.0
    phones: tuple[tuple[int, Prosody], ...] = ()

    @property
    def n_phones(self) -> int:
        """How many phones it has; pauses are none."""
        return sum(word >= 0 for word in self.tokens.word_index)


@dataclass(frozen=True)
class Silence:
    """A silence that somebody asked for, in seconds; unless it is `exact`, a control of pauses stretches it."""

    duration_s: float
    exact: bool = True


@dataclass(frozen=True)
class Mark:
    """A name for a moment."""

    name: str


@dataclass(frozen=True)
class ParagraphEnd:
    """Here ends a paragraph."""


#: What a script is made of, in the order in which it is said.
Item = Line | Silence | Mark | ParagraphEnd
