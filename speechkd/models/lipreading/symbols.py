"""Characters as numbers."""

from __future__ import annotations

from collections.abc import Iterable

from speechkd.errors import DataError

PAD, BOS, EOS = 0, 1, 2
_FIRST = 3


class Characters:
    """An alphabet behind the numbers of padding, of the beginning and of the end of a sentence."""

    def __init__(self, alphabet: str) -> None:
        self.alphabet = alphabet
        self._numbers = {character: _FIRST + place for place, character in enumerate(alphabet)}

    def __len__(self) -> int:
        return _FIRST + len(self.alphabet)

    def encode(self, text: str) -> list[int]:
        """Numbers of a text without beginning and end. DataError for a character outside the alphabet."""
        strange = sorted(set(text) - set(self._numbers))
        if strange:
            raise DataError(
                f"the text {text!r} has characters that the model cannot write",
                why=", ".join(map(repr, strange)),
                todo="Add them to model.alphabet, or write the text without them",
            )
        return [self._numbers[character] for character in text]

    def decode(self, numbers: Iterable[int]) -> str:
        """The text up to the first end; padding and beginnings are left out."""
        text = []
        for number in numbers:
            if number == EOS:
                break
            if number >= _FIRST:
                text.append(self.alphabet[number - _FIRST])
        return "".join(text)
