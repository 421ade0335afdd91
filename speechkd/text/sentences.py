"""Cutting long text into sentences, without stumbling over abbreviations, initials and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from speechkd.text.rules.abbreviations import ANYWHERE, BEFORE_NUMBERS, LATIN, TITLES
from speechkd.text.rules.dates import MONTHS
from speechkd.text.rules.rule import starts_sentence

# Marks, closing quotes and brackets, then a blank (or a full-width mark with none); or a blank line.
# Phonemes in double brackets are one piece, whatever stands between them.
_CLOSING = "\"'\u2019\u201d)\\]"
_MARKS = rf"(?<![.!?\u2026])[.!?\u2026]++[{_CLOSING}]*+"
_END = re.compile(rf"\[\[[^\[\]]*\]\]|{_MARKS}(?=\s)|[\u3002\uff01\uff1f]+|\n[^\S\n]*(?:\n\s*)+")
# What may become an end when more text comes.
_UNFINISHED = re.compile(rf"(?:\[(?:\[[^\[\]]*\]?)?|{_MARKS}|\n[^\S\n]*)\Z")
_VISIBLE = re.compile(r"\S")
# So many characters behind a mark tell whether a sentence ends there.
_AHEAD = 40
# A text is looked through in pieces of so many characters.
_CHUNK = 4096
_LAST_WORD = re.compile(r"[\w.'\u2019-]{1,40}\Z")
_NEVER_LAST = frozenset(TITLES) | frozenset(BEFORE_NUMBERS) - {"no", "No", "art", "Art", "ch", "p", "c"}
_SELDOM_LAST = frozenset(ANYWHERE) | {name[:3].title() for name in MONTHS} | {"Sept"}


@dataclass(frozen=True)
class Sentence:
    """A sentence, stripped and not empty; `start` is the place of its first character in the text."""

    text: str
    start: int
    ends_paragraph: bool


def split_sentences(text: str) -> list[str]:
    """The sentences of the text, stripped; none is empty, and nothing but white space is lost between them."""
    return [sentence.text for sentence in iter_sentences(text)]


def iter_sentences(text: str | Iterable[str]) -> Iterator[Sentence]:
    """The sentences of a text that may come in pieces, each as soon as it is certain where it ends.

    How the text is cut into pieces makes no difference. A blank line, or the end of the text, ends a paragraph. Holds
    no more of the text than a sentence and a piece; the time taken grows linearly with the text.
    """
    window = _Window()
    pieces = _slices(text) if isinstance(text, str) else text
    for piece in pieces:
        window.add(piece)
        if window.is_worth_a_look:
            yield from window.sentences(complete=False)
    yield from window.sentences(complete=True)


def _slices(text: str) -> Iterator[str]:
    return (text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK))


class _Window:
    """The part of a text in which a sentence began and has not ended yet."""

    def __init__(self) -> None:
        self._text = ""
        self._place = 0  # of the first character of `_text`
        self._looked = 0  # before this character of `_text` no sentence ends
        self._new: list[str] = []
        self._n_new = 0

    def add(self, piece: str) -> None:
        """Put a piece of the text behind the rest."""
        self._new.append(piece)
        self._n_new += len(piece)

    @property
    def is_worth_a_look(self) -> bool:
        """Whether enough is new: looking at each character of a long sentence would take quadratic time."""
        return self._n_new * 8 > len(self._text)

    def sentences(self, complete: bool) -> Iterator[Sentence]:
        """The sentences that have certainly ended; all of them when the text is `complete`."""
        self._text += "".join(self._new)
        self._new, self._n_new = [], 0
        start = 0
        for end, behind in self._ends(complete):
            yield from self._sentence(start, end, behind)
            start = end
        if complete:
            yield from self._sentence(start, len(self._text), len(self._text))
        self._text = self._text[start:]
        self._place += start
        self._looked -= start

    def _ends(self, complete: bool) -> Iterator[tuple[int, int]]:
        """Where each sentence ends, and where the white space behind it does."""
        unfinished = None if complete else _UNFINISHED.search(self._text, self._looked)
        stop = unfinished.start() if unfinished else len(self._text)
        for match in _END.finditer(self._text, self._looked):
            behind = _first_visible(self._text, match.end())
            if not complete and (match.start() >= stop or not self._is_certain(match, behind)):
                self._looked = min(match.start(), stop)
                return
            self._looked = match.end()
            if match[0][0] != "[" and _ends_sentence(self._text, match):
                yield match.end(), behind
        self._looked = max(self._looked, stop)

    def _is_certain(self, match: re.Match[str], behind: int) -> bool:
        """Whether no text that is still to come can change what the match means."""
        return match[0][0] == "[" or (behind < len(self._text) and match.end() + _AHEAD <= len(self._text))

    def _sentence(self, start: int, end: int, behind: int) -> Iterator[Sentence]:
        start = _first_visible(self._text, start)
        if start < end:
            ends_paragraph = behind == len(self._text) or self._text.count("\n", end, behind) > 1
            blank_line = self._text[end - 1].isspace() and end < len(self._text)
            yield Sentence(self._text[start:end].rstrip(), self._place + start, ends_paragraph or blank_line)


def _first_visible(text: str, place: int) -> int:
    """The place of the first character at or behind `place` that is no white space."""
    found = _VISIBLE.search(text, place)
    return found.start() if found else len(text)


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    mark = match[0]
    follows = text[match.end() : match.end() + 40].lstrip().lstrip("\"'\u2018\u201c([")[:1]
    if mark[0] != "." or len(mark.rstrip("\"'\u2019\u201d)]")) > 1:
        # "Stop!" he said. and "well... maybe" go on in small letters.
        return mark.isspace() or not follows.islower()
    word = _LAST_WORD.search(text, max(0, match.start() - 40), match.start())
    last = word[0].lstrip("'\u2019") if word else ""
    if last in _NEVER_LAST or last + "." in LATIN or (len(last) == 1 and last.isupper() and last != "I"):
        return False
    if "." in last and last.lower() not in ("a.m", "p.m"):
        return starts_sentence(text, match.end())
    if last in _SELDOM_LAST or "." in last:
        return follows.isupper() and last not in ("vs", "Vs")
    if last in ("No", "no") and follows.isdigit():
        return False
    return not follows.islower()
