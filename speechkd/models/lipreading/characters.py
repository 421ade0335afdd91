"""What a lip reader writes: characters, and three numbers that are none. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Iterable
from string import ascii_lowercase

from speechkd.errors import DataError

#: Behind the end of a sequence (and the blank of CTC), before its first character, and behind its last.
PAD, BOS, EOS = range(3)
ENGLISH = ascii_lowercase + " "


class Characters:
    """An alphabet as numbers: its characters follow `PAD`, `BOS` and `EOS`."""

    def __init__(self, alphabet: str = ENGLISH) -> None:
        self.alphabet = alphabet
        self._numbers = {character: number for number, character in enumerate(alphabet, start=EOS + 1)}

    def __len__(self) -> int:
        return EOS + 1 + len(self.alphabet)

    def encode(self, text: str) -> list[int]:
        """The numbers of a text, with `EOS` behind them. DataError for a character outside the alphabet."""
        unknown = sorted(set(text) - set(self.alphabet))
        if unknown:
            raise DataError(
                f"the alphabet has no {', '.join(map(repr, unknown))}",
                where=repr(text),
                why=f"it is {self.alphabet!r}",
                todo="Spell the text in it, or train with a larger alphabet",
            )
        return [self._numbers[character] for character in text] + [EOS]

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of these numbers, up to the first `EOS`; `PAD` and `BOS` say nothing."""
        text = []
        for number in numbers:
            if number == EOS:
                break
            if number > EOS:
                text.append(self.alphabet[number - EOS - 1])
        return "".join(text)
