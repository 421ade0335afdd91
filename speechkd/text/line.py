"""What is said in one breath, and how."""

from __future__ import annotations

from dataclasses import dataclass

from speechkd.text.tokens import Tokens


@dataclass(frozen=True)
class Prosody:
    """How a word is said, on top of what is asked for the whole text."""

    rate: float = 1.0  # factor
    pitch: float = 0.0  # semitones
    volume: float = 1.0  # factor

    def within(self, outer: Prosody) -> Prosody:
        """This prosody inside another: factors multiply, semitones add."""
        return Prosody(self.rate * outer.rate, self.pitch + outer.pitch, self.volume * outer.volume)


NEUTRAL = Prosody()


@dataclass(frozen=True)
class Line:
    """One utterance.

    `prosody`: one per word of `tokens.words`, or none at all where every word is neutral. `pause_s`: the silence behind
    it in seconds, which a control of pauses stretches unless it is an `exact_pause`, one that somebody asked for.
    `before_s`: silence before it in seconds, always exact and of a text's first line only. `marks`: a name and the
    number of the word before which it stands; the number of words: at the end.
    """

    tokens: Tokens
    prosody: tuple[Prosody, ...] = ()
    pause_s: float = 0.0
    exact_pause: bool = False
    marks: tuple[tuple[str, int], ...] = ()
    voice: str | None = None
    speaker: str | None = None
    before_s: float = 0.0


@dataclass(frozen=True)
class Silence:
    """A silence that somebody asked for, in seconds; not `exact`: as strong as a name, and stretched like other pauses."""

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
