"""What a rule of the normaliser is."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from re import Match

# Stands before letters that are to be spelled out whatever they look like. The reading of characters lets no
# private-use character through, so that it cannot come from the text.
SPELL = "\ue000"


_DIGIT = re.compile(r"\d")


class Rule:
    """A named pattern and what its matches are read as; patterns must match in linear time."""

    def __init__(self, name: str, pattern: str, spoken: Callable[[Match[str]], str] | str, flags: int = 0) -> None:
        self.name = name
        self.source, self.flags = pattern, flags
        self.spoken = spoken

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern, compiled when it is first needed."""
        return re.compile(self.source, self.flags)

    def __call__(self, text: str) -> str:
        """The text with every match replaced."""
        return self.pattern.sub(self.spoken, text)


class NumberRule(Rule):
    """A rule whose every match holds or borders on a digit: in a text without any it is not even compiled.

    Most of the time that the first sentence of a process takes to normalise went into compiling these.
    """

    def __call__(self, text: str) -> str:
        """The text with every match replaced."""
        return super().__call__(text) if _DIGIT.search(text) else text


def one_of(names: Iterable[str]) -> str:
    """A pattern for any of the names, longer ones first."""
    return "(?:" + "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name))) + ")"


# "a $5 bill": behind an article and before a noun what is counted stays singular; these words are no nouns.
BEFORE_NOUN = (
    r"(?= (?!(?:to|or|and|in|per|of|for|a|an|at|on|by|from|with|more|less|than|each|away|apart|every)\b)[a-z])"
)
BEHIND_ARTICLE = r"\b([Aa]n?) "

# Words that open a sentence far more often than they go on after an abbreviation.
_OPENERS = frozenset(
    "A An And As At But For He Her His How However I If In It Its My No Now On Our She So That The Their Then There "
    "These They This Those Though We What When Where Which While Who Why With Yes You Your".split()
)
_OPENING = re.compile(r"[\"')\]]*\s+[\"'(\[]*([A-Za-z]+)")


def kept_dot(match: Match[str]) -> str:
    """The dot of an abbreviation that also ends its sentence: nothing, or a word with a capital, follows."""
    rest = match.string[match.end() : match.end() + 40]
    opening = _OPENING.match(rest)
    return "." if not rest.strip("\"')] ") or (opening and opening[1][0].isupper()) else ""


def starts_sentence(text: str, place: int) -> bool:
    """Whether nothing, or a word that usually opens a sentence, follows at the place (behind initials: "U.S. He")."""
    rest = text[place : place + 40]
    opening = _OPENING.match(rest)
    return not rest.strip("\"')] ") or bool(opening and opening[1] in _OPENERS)
