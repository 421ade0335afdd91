"""What is to be said, line by line, before any voice sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate, pairwise

from speechkd.errors import NothingToSpeak, UsageError
from speechkd.text.factory import Frontend
from speechkd.text.line import (
    PARAGRAPH_PAUSE_S,
    SENTENCE_PAUSE_S,
    Item,
    Line,
    Mark,
    ParagraphEnd,
    Prosody,
    Silence,
)
from speechkd.text.long_text import MOST_TOKENS, cut_long, cut_words
from speechkd.text.sentences import iter_sentences
from speechkd.text.ssml import Block, blocks_of, items_of_block

__all__ = ["FIRST_TOKENS", "Line", "Prosody", "lines_of_ssml", "lines_of_text"]

#: About 7 seconds of speech. The first line of a text is no longer, so that it is soon heard.
FIRST_TOKENS = 70


def lines_of_text(text: str | Iterable[str], frontend: Frontend) -> Iterator[Line]:
    """The lines of a plain text: its sentences, of which a long one comes in pieces.

    Each is read when it is asked for, and one ahead; the text may come in pieces, too. Sentences without a word, such
    as a row of dashes, are passed over. UsageError when `text` is none; NothingToSpeak when it has no word at all.
    """
    if not isinstance(text, str) and (isinstance(text, bytes | bytearray) or not isinstance(text, Iterable)):
        raise UsageError(f"a text is a string, not {type(text).__name__}", todo="Decode bytes: text.decode('utf-8')")
    return _settled(_cut(_items_of_text(text, frontend)))


def lines_of_ssml(document: str, frontend: Frontend) -> Iterator[Line]:
    """The lines of an SSML document; see docs/ssml.md for the elements that it may have.

    The whole document is checked at once: DataError tells line and column of the first mistake, UsageError comes for
    anything but a string. Its sentences are read when they are asked for, and one ahead; NothingToSpeak when it has no
    word at all.
    """
    return _settled(_cut(_items_of_blocks(blocks_of(document, frontend), frontend)))


def _items_of_text(text: str | Iterable[str], frontend: Frontend) -> Iterator[Item]:
    for sentence in iter_sentences(text):
        tokens = None
        with suppress(NothingToSpeak):
            tokens = cut_words(frontend.tokens(sentence.text))
        if tokens:
            yield Line(tokens, pause_s=SENTENCE_PAUSE_S)
        if sentence.ends_paragraph:
            yield ParagraphEnd()


def _items_of_blocks(blocks: Iterable[Block | ParagraphEnd], frontend: Frontend) -> Iterator[Item]:
    for block in blocks:
        if isinstance(block, Block):
            yield from items_of_block(block, frontend)
        else:
            yield block


def _cut(items: Iterable[Item]) -> Iterator[Item]:
    """The items, with long lines in pieces, and the very first line in shorter ones."""
    most = FIRST_TOKENS
    for item in items:
        if isinstance(item, Line):
            yield from _pieces(item, most)
            most = MOST_TOKENS
        else:
            yield item


def _pieces(line: Line, most: int) -> Iterator[Line]:
    """The line, or pieces of it with the prosody and the marks of their words; silence is behind the last alone."""
    pieces = cut_long(line.tokens, most, MOST_TOKENS)
    ends = list(accumulate((len(piece.words) for piece in pieces), initial=0))
    for piece, (start, end) in zip(pieces, pairwise(ends), strict=True):
        last = end == ends[-1]
        yield replace(
            line,
            tokens=piece,
            prosody=line.prosody[start:end],
            pause_s=line.pause_s if last else 0.0,
            marks=tuple((name, word - start) for name, word in line.marks if start <= word < end + last),
        )


class _Settler:
    """Gives each line the marks and the silences around it: a line is held until it is known what follows."""

    def __init__(self) -> None:
        self.held: Line | None = None
        self._asked = False  # whether somebody asked for the silence behind the held line
        self._marks: list[str] = []
        self._before_s = 0.0

    def line(self, line: Line) -> Iterator[Line]:
        """A line: the one before is known now."""
        if self.held:
            yield self.held
        marks = tuple((name, 0) for name in self._marks)
        self.held = replace(line, marks=marks + line.marks, before_s=self._before_s)
        self._marks, self._before_s, self._asked = [], 0.0, False

    def mark(self, mark: Mark) -> None:
        """A mark: before the next line, unless a silence comes first."""
        self._marks.append(mark.name)

    def silence(self, silence: Silence) -> None:
        """A silence takes the place of the usual one; several add up."""
        if self.held is None:
            self._before_s += silence.duration_s
            return
        self._marks_at_end()
        earlier_s = self.held.pause_s if self._asked else 0.0
        exact = silence.exact or (self._asked and self.held.exact_pause)
        self.held = replace(self.held, pause_s=earlier_s + silence.duration_s, exact_pause=exact)
        self._asked = True

    def paragraph_end(self) -> None:
        """The usual silence behind a paragraph."""
        if self.held and not self._asked:
            self.held = replace(self.held, pause_s=PARAGRAPH_PAUSE_S)

    def last(self) -> Line | None:
        """The last line: no silence is behind it unless somebody asked for it."""
        if self.held and not self._asked:
            self.held = replace(self.held, pause_s=0.0)
        self._marks_at_end()
        return self.held

    def _marks_at_end(self) -> None:
        if self.held:
            behind = tuple((name, len(self.held.tokens.words)) for name in self._marks)
            self.held = replace(self.held, marks=self.held.marks + behind)
            self._marks = []


def _settled(items: Iterable[Item]) -> Iterator[Line]:
    settler = _Settler()
    for item in items:
        if isinstance(item, Line):
            yield from settler.line(item)
        elif isinstance(item, Mark):
            settler.mark(item)
        elif isinstance(item, Silence):
            settler.silence(item)
        else:
            settler.paragraph_end()
    last = settler.last()
    if last is None:
        raise NothingToSpeak("there is nothing to speak", todo="Give a text with at least one word")
    yield last
