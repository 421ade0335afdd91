"""The international phonetic alphabet to the phones of American English.

The table follows the usual broad transcriptions of American English (and the length marks and the rounded *lot* vowel
of British ones). At each place the longest symbol that the table lists is taken. A stress mark belongs to the next
vowel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from speechkd.text.lexicon import Phones
from speechkd.text.symbols import VOWELS

_ROWS = """
AA ɑ ɒ a|AE æ|AH ʌ ə ɐ|AO ɔ|AW aʊ aw|AY aɪ aj|EH ɛ e|ER ɝ ɚ ɜ ɜr ɜɹ ər əɹ ɹ̩ r̩|EY eɪ ej|IH ɪ ɨ ᵻ|IY i|OW oʊ əʊ o ow
OY ɔɪ ɔj|UH ʊ ɵ|UW u ʉ|B b|CH tʃ ʧ|D d|DH ð|F f|G ɡ g|HH h ɦ|JH dʒ ʤ|K k x|L l ɫ|M m|N n|NG ŋ|P p|R ɹ r ɻ
S s|SH ʃ|T t ɾ ʔ|TH θ|V v|W w|Y j|Z z|ZH ʒ|HH+W ʍ|AH+L l̩ ɫ̩|AH+M m̩|AH+N n̩|EH+R eə ɛə|IH+R ɪə|UH+R ʊə
"""
SYMBOLS: dict[str, Phones] = {
    symbol: tuple(phones.split("+"))
    for phones, *symbols in (row.split() for row in re.split(r"[|\n]", _ROWS.strip()))
    for symbol in symbols
}
_LONGEST = max(map(len, SYMBOLS))
# Vowels that bear no stress of their own accord.
_REDUCED = frozenset("ə ɐ ɚ ɨ ᵻ ər əɹ ɹ̩ r̩ l̩ ɫ̩ m̩ n̩".split())
_STRESS = {"ˈ": "1", "'": "1", "ˌ": "2"}
# Between syllables; what stands on its two sides is never one symbol.
_BORDER = "."
# Ties, lengths, aspiration and links say nothing that the phones could.
_SILENT = frozenset("\u035c\u0361\u02d0\u02d1\u02b0\u203f\u032f\u031a")


class UnknownSymbol(Exception):
    """A symbol that stands for no phone of American English; `place` is its number, counted from 0."""

    def __init__(self, symbol: str, place: int) -> None:
        super().__init__(f"{symbol!r} at {place}")
        self.symbol = symbol
        self.place = place


def words_of_ipa(text: str) -> list[Phones]:
    """The phones of each word of a transcription; words are separated by blanks.

    A word without a mark of primary stress bears it on its first vowel with secondary stress, else on its first vowel
    that is not reduced, else on none ("ə"). `UnknownSymbol` tells the first symbol that cannot be read.
    """
    return [phones for match in re.finditer(r"\S+", text) if (phones := _word(match[0], match.start()))]


def _word(word: str, start: int) -> Phones:
    phones: list[str] = []
    full: list[int] = []  # the places of the vowels that can bear the primary stress
    stress = "0"
    for symbol in _symbols(word, start):
        if symbol in _STRESS:
            stress = _STRESS[symbol]
        for phone in SYMBOLS.get(symbol, ()):
            if phone in VOWELS:
                full += [len(phones)] if symbol not in _REDUCED else []
                phone, stress = phone + stress, "0"
            phones.append(phone)
    return tuple(_stressed(phones, full))


def _stressed(phones: list[str], full: list[int]) -> list[str]:
    """The phones with a primary stress, where there is a vowel for it."""
    if any(phone.endswith("1") for phone in phones):
        return phones
    marked = [place for place, phone in enumerate(phones) if phone.endswith("2")]
    for place in (marked or full)[:1]:
        phones[place] = phones[place][:-1] + "1"
    return phones


def _symbols(word: str, start: int) -> Iterator[str]:
    """The stress marks and the longest symbols of the table, from the left; `start`: the word's place in the text."""
    kept = [(char, start + place) for place, char in enumerate(word) if char not in _SILENT]
    chars = "".join(char for char, _ in kept)
    place = 0
    while place < len(chars):
        size = 1 if chars[place] in _STRESS or chars[place] == _BORDER else _size(chars, place)
        if not size:
            raise UnknownSymbol(*kept[place])
        yield chars[place : place + size]
        place += size


def _size(chars: str, place: int) -> int:
    """The length of the longest symbol of the table at a place; 0 when there is none."""
    return next((n for n in range(_LONGEST, 0, -1) if chars[place : place + n] in SYMBOLS), 0)
