"""The symbols that a speech model reads: padding, the opening, pauses, and the phones of American English.

Phones are ARPAbet as the CMU dictionary writes it: 24 consonants, and 15 vowels with a stress digit
(0 none, 1 primary, 2 secondary), 69 symbols in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from speechkd.errors import DataError

PAD = "_"
START = "^"
WORD_BOUNDARY = "|"
# From the weakest to the strongest: of a run of punctuation the strongest stays.
PAUSES_BY_STRENGTH = (WORD_BOUNDARY, ",", "-", ":", ";", ".", "!", "?")
SENTENCE_FINAL = frozenset(".?!")

CONSONANTS = tuple("B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split())
VOWELS = tuple("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())
PHONES = CONSONANTS + tuple(vowel + stress for vowel in VOWELS for stress in "012")

_PHONE_SET = frozenset(PHONES)
_PAUSE_SET = frozenset(PAUSES_BY_STRENGTH)


def is_pause(symbol: str) -> bool:
    """Whether the symbol is a pause token: a word boundary or a punctuation mark."""
    return symbol in _PAUSE_SET


def is_phone(symbol: str) -> bool:
    """Whether the symbol is one of the 69 phones."""
    return symbol in _PHONE_SET


def is_vowel(phone: str) -> bool:
    """Whether the phone carries a stress digit, as vowels and only vowels do."""
    return phone[-1:] in "012" and phone in _PHONE_SET


@dataclass(frozen=True)
class SymbolTable:
    """An ordered list of distinct symbols; a symbol's place is its number, and number 0 is padding "_"."""

    symbols: tuple[str, ...]
    _number: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        number = {symbol: i for i, symbol in enumerate(self.symbols)}
        if len(number) != len(self.symbols):
            raise DataError("a symbol table names a symbol twice")
        if self.symbols[:1] != (PAD,):
            raise DataError(f"a symbol table must begin with the padding symbol {PAD!r}")
        object.__setattr__(self, "_number", number)

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._number

    def encode(self, symbols: Iterable[str]) -> list[int]:
        """The numbers of the symbols; DataError names one that the table lacks."""
        try:
            return [self._number[symbol] for symbol in symbols]
        except KeyError as error:
            raise DataError(
                f"unknown symbol {error.args[0]!r}",
                why=f"the table has {len(self)} symbols and this is none of them",
                todo="Use the symbol table that the model was trained with.",
            ) from None

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """The symbols of the numbers; DataError names a number outside the table."""
        symbols = []
        for number in numbers:
            if not 0 <= number < len(self):
                raise DataError(f"symbol number {number} is outside the table of {len(self)} symbols")
            symbols.append(self.symbols[number])
        return symbols

    def to_json(self) -> dict[str, Any]:
        """The table as plain JSON data."""
        return {"symbols": list(self.symbols)}

    @classmethod
    def from_json(cls, data: object) -> SymbolTable:
        """The inverse of `to_json`; DataError when the data are something else."""
        symbols = data.get("symbols") if isinstance(data, dict) else None
        if not isinstance(symbols, Sequence) or not all(isinstance(symbol, str) for symbol in symbols):
            raise DataError("not a symbol table", why='a JSON object {"symbols": [strings]} was expected')
        return cls(tuple(symbols))


ENGLISH_SYMBOLS = SymbolTable((PAD, START, *PAUSES_BY_STRENGTH, *PHONES))
