"""What is to be said, line by line, before any voice sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from speechkd.errors import NothingToSpeak
from speechkd.text.factory import Frontend
from speechkd.text.long_text import MOST_TOKENS, cut_long
from speechkd.text.sentences import split_sentences
from speechkd.text.tokens import Tokens

#: About 7 seconds of speech. The first line of a text is no longer, so that it is soon heard.
FIRST_TOKENS = 70


@dataclass(frozen=True)
class Prosody:
    """How a word or a phone is said, on top of what is asked for the whole text."""

    rate: float = 1.0  # factor
    pitch: float = 0.0  # semitones
    volume: float = 1.0  # factor

    def __mul__(self, other: Prosody) -> Prosody:
        """One within the other."""
        return Prosody(self.rate * other.rate, self.pitch + other.pitch, self.volume * other.volume)


@dataclass(frozen=True)
class Line:
    """An utterance: what is said in one breath."""

    tokens: Tokens
    prosody: tuple[Prosody, ...] = ()  # one per word; empty: all neutral
    pause_s: float = 0.0  # silence after it
    exact_pause: bool = False  # somebody asked for just this silence
    marks: tuple[tuple[str, int], ...] = ()  # name, and the word before which it stands; the number of words: the end
    speaker: str | None = None
    phones: tuple[tuple[int, Prosody], ...] = ()  # of single phones, by their place among all of the line

    @property
    def n_phones(self) -> int:
        """How many phones it has; pauses are none."""
        return sum(word >= 0 for word in self.tokens.word_index)


def lines_of_text(text: str, frontend: Frontend) -> Iterator[Line]:
    """The lines of a plain text: its sentences, of which a long one comes in pieces.

    Sentences without a word, such as a row of dashes, are passed over.
    """
    most = FIRST_TOKENS
    for sentence in split_sentences(text):
        try:
            tokens = frontend.tokens(sentence)
        except NothingToSpeak:
            continue
        yield from (Line(piece) for piece in cut_long(tokens, most, MOST_TOKENS))
        most = MOST_TOKENS
