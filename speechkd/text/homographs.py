"""Choosing among the readings of a homograph by the words around it.

The chosen reading becomes `Word.phones`; the others stay in `Word.variants`, so that an aligner can still choose by
ear. The user's lexicon is asked first and never overruled.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from speechkd.text.context import Context
from speechkd.text.homograph_table import BY_PART, BY_SENSE
from speechkd.text.lexicon import Phones
from speechkd.text.morphology import add_plural
from speechkd.text.senses import SENSES
from speechkd.text.tokens import Word

_NOT_INFLECTED = frozenset("aged august blessed does learned lives live minute polish putting read used".split())


@functools.cache
def readings(form: str) -> dict[str, Phones]:
    """The readings of a form (lower case) by name, the default first; empty when it is no homograph.

    Forms in -s and -'s are built from their base: "records", "project's".
    """
    if form in BY_SENSE or form in BY_PART:
        return BY_SENSE.get(form) or BY_PART[form]
    if form == "houses":
        return dict.fromkeys(("noun", "verb"), ("HH", "AW1", "Z", "IH0", "Z"))
    base, ending = (form[:-2], "'s") if form.endswith("'s") else (form[:-1], "s") if form.endswith("s") else ("", "")
    if form.endswith("ies") and form[:-3] + "y" in BY_PART:
        base = form[:-3] + "y"
    found = BY_SENSE.get(base) or BY_PART.get(base) or {}
    if not found or (ending == "s" and base in _NOT_INFLECTED and form not in SENSES):
        return {}
    if ending == "'s":
        return {name: add_plural(phones) for name, phones in found.items() if name != "verb"}
    return {name: add_plural(phones) for name, phones in found.items() if name != "adj"}


def reading_name(words: Sequence[str], place: int) -> str | None:
    """The name of the reading of the word at `place`; None when it is no homograph.

    `words` are words and marks in lower case, save "Polish", whose capital tells.
    """
    form = words[place].lower()
    named = readings(form)
    if not named:
        return None
    here = Context(words, place)
    if sense := SENSES.get(form):
        name = sense(here)
    elif form.endswith("'s"):
        name = "noun"
    else:
        name = here.part_of_s_form() if form.endswith("s") and form[:-1] != "" and form not in BY_PART else here.part()
    return _known(name, named)


def _known(name: str, named: dict[str, Phones]) -> str:
    """The reading of that name; adjectives and nouns stand in for each other; else the default."""
    for candidate in (name, {"adj": "noun", "noun": "adj"}.get(name, "")):
        if candidate in named:
            return candidate
    return next(iter(named))


def by_context(word: Word, words: Sequence[str], place: int) -> Word:
    """The word with the reading that fits the words around it; words from other sources than the lexicon stay."""
    if word.source != "lexicon":
        return word
    name = reading_name(words, place)
    if name is None:
        return word
    named = readings(words[place].lower())
    others = dict.fromkeys((*named.values(), word.phones, *word.variants))
    chosen = named[name]
    return Word(word.text, chosen, word.source, tuple(phones for phones in others if phones != chosen))
