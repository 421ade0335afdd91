"""What surrounds a word, and whether a noun, an adjective or a verb stands in its place.

No training, no dictionary of parts of speech: a helper (to, will, she) before the word makes it a verb, an article or
a preposition a noun, and where only a noun goes before ("the students … against") the word behind decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speechkd.text.word_classes import (
    ADVERBS,
    BE,
    CAUSATIVES,
    CLAUSE_OPENERS,
    CONJUNCTIONS,
    DETERMINERS,
    HAVE,
    MODALS,
    OBJECTS,
    PREPOSITIONS,
    SEEM,
    SINGULAR_SUBJECTS,
    SUBJECTS,
    is_adjective,
    is_adverb,
    is_content,
    is_past,
    is_plural,
    is_possessive,
)

# Marks that end a clause: what stands before them says nothing about the word.
_STOPS = frozenset(",.?!;:-")
_REACH = 12
_BEHIND_VERBS = frozenset("everything something anything nothing that how whether".split()) | OBJECTS
_NOUN_PHRASE = DETERMINERS - frozenset(("more", "less", "next", "last", "first"))


@dataclass(frozen=True)
class Context:
    """A word at `place` among the words and marks of a text, in lower case."""

    words: Sequence[str]
    place: int

    def at(self, offset: int) -> str:
        """The word or mark at a distance from this word; "." beyond the ends."""
        place = self.place + offset
        return self.words[place] if 0 <= place < len(self.words) else "."

    @property
    def before(self) -> str:
        """The word or mark before."""
        return self.at(-1)

    @property
    def behind(self) -> str:
        """The word or mark behind."""
        return self.at(1)

    def helper(self) -> int:
        """The offset of the first word before this one that is no adverb ("has never really …")."""
        offset = -1
        while offset > -4 and is_adverb(self.at(offset)):
            offset -= 1
        return offset

    def sentence(self) -> list[str]:
        """The words around, up to the ends of the sentence and not far."""
        start = max(0, self.place - _REACH)
        end = min(len(self.words), self.place + _REACH)
        while any(mark in ".?!" for mark in self.words[start : self.place]):
            start += 1
        stop = next((i for i in range(self.place + 1, end) if self.words[i] in ".?!"), end)
        return list(self.words[start : self.place]) + list(self.words[self.place + 1 : stop])

    def near(self, clues: frozenset[str] | set[str]) -> bool:
        """Whether one of the words of the sentence around is a clue."""
        return not clues.isdisjoint(self.sentence())

    def part(self) -> str:
        """The part of speech of the place: "noun", "adj", "verb", or "" where nothing tells."""
        return _part(self)

    def part_of_s_form(self) -> str:
        """The same for a form in -s: a noun in the plural or a verb of he, she, it."""
        return _part_of_s_form(self)

    def has_subject(self) -> bool:
        """Whether I, you, we, they, who, he … goes right before as the subject (not "to you …")."""
        offset = self.helper()
        return self.at(offset) in SUBJECTS and self.at(offset - 1) not in PREPOSITIONS | {"to"}


def _part(here: Context) -> str:
    offset = here.helper()
    word, further = here.at(offset), here.at(offset - 1)
    if (
        word in ("to", "not")
        or word in MODALS
        or word.endswith(("'ll", "n't"))
        or (word.endswith("'d") and here.behind not in BE)
    ):
        return "verb" if word != "to" or not _noun_behind_to(here, further) else "noun"
    if word in ("her", "it", "you", "that", "which") or word in OBJECTS:
        return _behind_pronoun(here, offset)
    if word in SUBJECTS:
        return "verb" if further not in PREPOSITIONS | {"to"} else ""
    if word in BE or word in SEEM or (word.endswith(("'s", "'re", "'m")) and not is_possessive(word)):
        return "adj"
    if word in HAVE:
        return "noun"
    if word in DETERMINERS or is_possessive(word):
        return _behind_determiner(here, offset)
    if word in PREPOSITIONS:
        return "noun"
    if word in CONJUNCTIONS:
        return _behind_conjunction(here, offset)
    if word in _STOPS or word in CLAUSE_OPENERS:
        return "verb" if here.behind in _NOUN_PHRASE | OBJECTS else ""
    return _behind_content(here, offset)


def _noun_behind_to(here: Context, further: str) -> bool:
    """ "subject to increase": no verb, as what goes on is not an object."""
    return further in ("according", "due", "thanks", "owing", "devoted") and here.behind not in _NOUN_PHRASE


def _behind_pronoun(here: Context, offset: int) -> str:
    word, further = here.at(offset), here.at(offset - 1)
    if further in CAUSATIVES:
        return "verb"
    if word in ("her", "that", "which"):
        if here.behind in _NOUN_PHRASE | OBJECTS:
            return "verb"
        return "verb" if word != "her" and is_plural(further) else "noun"
    if word in ("it", "you"):
        return "" if further in PREPOSITIONS | {"to"} else "verb"
    return ""


def _behind_determiner(here: Context, offset: int) -> str:
    """A noun, or an adjective where a noun follows; "they all object to": all is no determiner."""
    if here.at(offset) in ("both", "many", "most", "few", "several", "some", "neither") and here.behind in _NOUN_PHRASE:
        return "verb"
    return "adj" if is_content(here.behind) and not is_past(here.behind) and not is_adverb(here.behind) else "noun"


def _behind_conjunction(here: Context, offset: int) -> str:
    """What the partner before "and" is: "stop and record the show", "videos and record players"."""
    if here.behind in _NOUN_PHRASE | OBJECTS:
        return "verb"
    window = [here.at(k) for k in range(offset - 1, offset - 7, -1)]
    for i, word in enumerate(window[:-1]):
        if word in _STOPS:
            return ""
        if word in MODALS or (word == "to" and i > 0):
            return "verb" if i <= 2 else ""
        if word in DETERMINERS or word in PREPOSITIONS:
            return "noun"
    return ""


def _behind_content(here: Context, offset: int) -> str:
    word, further, behind = here.at(offset), here.at(offset - 1), here.behind
    if is_adjective(word):
        return "noun"
    adverb_between = offset < -1
    if is_plural(word) or (further in ("some", "many", "most", "those") and word.endswith("s")):
        if behind in BE or behind in HAVE or behind in MODALS or behind == "of" or is_past(behind):
            return "noun"
        return "verb"
    if adverb_between and here.before not in ("very", "too", "so", "quite"):
        return "verb"
    if behind in _NOUN_PHRASE and behind not in ("one", "two", "three", "no", "what", "other", "enough"):
        return "verb" if not is_past(word) else "noun"
    return "noun"


def _part_of_s_form(here: Context) -> str:
    offset = here.helper()
    word, further, behind = here.at(offset), here.at(offset - 1), here.behind
    object_follows = behind in _NOUN_PHRASE or behind in _BEHIND_VERBS
    if word in SINGULAR_SUBJECTS or word in ("who", "that", "which"):
        if word in ("this", "that") and not object_follows and further in _STOPS | PREPOSITIONS:
            return "verb" if behind in PREPOSITIONS | {"to"} else "noun"
        return "verb" if further not in PREPOSITIONS | {"to"} else "noun"
    if word in DETERMINERS or word in PREPOSITIONS or is_possessive(word) or word in _STOPS or word in HAVE:
        return "verb" if word in _STOPS and behind in OBJECTS | {"the", "a", "an"} else "noun"
    if word in CONJUNCTIONS:
        return "verb" if object_follows and here.at(offset - 1) in OBJECTS else "noun"
    if word in MODALS or word in BE or word == "to":
        return "noun"
    # "the camera records everything", "the work proceeds slowly", "my brother objects to"
    singular = is_content(word) and not is_plural(word) and not is_adjective(word) and not is_past(word)
    if singular and (object_follows or is_adverb(behind)) and (behind not in ADVERBS or behind in ("only", "all")):
        return "verb"
    if singular and behind in ("to", "against", "with") and (further in DETERMINERS or is_possessive(further)):
        return "verb" if behind == "to" else "noun"
    return "verb" if offset < -1 and singular else "noun"
