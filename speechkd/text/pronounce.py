"""How a word is said: the lexicons first, then a fixed chain of fallbacks.

user lexicon → CMU dictionary → hyphenated parts → morphology (inflection, prefix, suffix, compound) →
a network that learnt spelling to sound from the dictionary (g2p) → the letters one by one (no vowel letter at all).
`Word.source` names the step that answered.
A word in UPPER case is spelled out, unless the user lexicon knows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechkd.text.g2p import say_word
from speechkd.text.lexicon import Phones, cmu_lexicon, user_lexicon
from speechkd.text.morphology import CLITICS, add_plural, derive
from speechkd.text.symbols import is_vowel
from speechkd.text.tokens import Word

# The weakest part names the source of a hyphenated word.
_SOURCES = ("letters", "g2p", "morphology", "lexicon", "user")
_SPELLED = re.compile(r"([A-Z]+)('?s)?")
_VOWEL_LETTER = re.compile(r"[aeiouy]")

LETTER_NAMES: dict[str, Phones] = {
    letter: tuple(phones.split())
    for letter, phones in (
        line.split(" ", 1)
        for line in (
            "a EY1|b B IY1|c S IY1|d D IY1|e IY1|f EH1 F|g JH IY1|h EY1 CH|i AY1|j JH EY1|k K EY1|l EH1 L|m EH1 M|"
            "n EH1 N|o OW1|p P IY1|q K Y UW1|r AA1 R|s EH1 S|t T IY1|u Y UW1|v V IY1|w D AH1 B AH0 L Y UW0|"
            "x EH1 K S|y W AY1|z Z IY1"
        ).split("|")
    )
}


def spell(letters: str) -> Phones:
    """The names of the letters a-z as one word: primary stress on the last, secondary on the others."""
    names = [LETTER_NAMES[letter] for letter in letters.lower()]
    weakened = [phone.replace("1", "2") for name in names[:-1] for phone in name]
    return tuple(weakened) + names[-1]


class Pronouncer:
    """Says any word of letters, apostrophes and hyphens."""

    def __init__(self, lexicon: Mapping[str, Sequence[str]] | Path | None = None) -> None:
        self.user = user_lexicon(lexicon)

    def knows(self, word: str) -> bool:
        """Whether a lexicon lists the word."""
        return word in self.user or word in cmu_lexicon()

    def variants(self, word: str) -> tuple[Phones, ...]:
        """The listed pronunciations, the user's before the dictionary's; empty when there are none."""
        return self.user.variants(word) + cmu_lexicon().variants(word)

    def word(self, text: str) -> Word:
        """The word with its phones: never empty, for any text with at least one letter a-z."""
        if text in self.user:
            first, *others = self.user.variants(text)
            return Word(text, first, "user", tuple(others))
        if spelled := _SPELLED.fullmatch(text):
            phones = spell(spelled[1])
            return Word(text, add_plural(phones) if spelled[2] else phones, "letters")
        return self._listed(text.lower()) or self._unlisted(text.lower())

    def _listed(self, text: str) -> Word | None:
        for form in (text, text.strip("'")):
            for lexicon, source in ((self.user, "user"), (cmu_lexicon(), "lexicon")):
                if variants := lexicon.variants(form):
                    return Word(text, variants[0], source, variants[1:])
        return None

    def _unlisted(self, text: str) -> Word:
        if "-" in text:
            return self._hyphenated(text)
        bare = text.strip("'")
        if phones := derive(bare, self._lookup):
            return Word(text, phones, "morphology")
        stem, apostrophe, ending = bare.partition("'")
        if apostrophe and stem and ending in CLITICS:
            word = self.word(stem)
            return Word(text, CLITICS[ending](word.phones), word.source)
        if _VOWEL_LETTER.search(bare) and (phones := say_word(bare)):
            return Word(text, phones, "g2p")
        return Word(text, spell(bare.replace("'", "")), "letters")

    def _hyphenated(self, text: str) -> Word:
        parts = [self.word(part) for part in text.split("-") if part.strip("'")]
        source = min((part.source for part in parts), key=_SOURCES.index)
        phones = tuple(phone for part in parts for phone in part.phones)
        return Word(text, phones, "morphology" if source in ("lexicon", "user") else source)

    def _lookup(self, word: str) -> Phones | None:
        variants = self.variants(word)
        return variants[0] if variants and any(map(is_vowel, variants[0])) else None
