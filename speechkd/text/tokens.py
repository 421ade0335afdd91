"""What a sentence looks like to a model: `^ phones pause phones pause … phones pause`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speechkd.errors import DataError
from speechkd.text.symbols import SENTENCE_FINAL, START, WORD_BOUNDARY, is_pause


@dataclass(frozen=True)
class Word:
    """One spoken word.

    `source` says where the phones come from: "user" (the user's lexicon), "lexicon" (the CMU dictionary),
    "inline" (phonemes in the text), "espeak" (espeak-ng),
    "morphology" (built from lexicon words), "g2p" (by the network), "letters" (spelled out). `variants` are the
    other pronunciations that the same source lists: a recording may hold one of them.
    """

    text: str
    phones: tuple[str, ...]
    source: str
    variants: tuple[tuple[str, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The word as plain JSON data; variants only where there are any."""
        plain: dict[str, Any] = {"text": self.text, "phones": list(self.phones), "source": self.source}
        return plain | ({"variants": [list(phones) for phones in self.variants]} if self.variants else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Word:
        """The inverse of `to_json`."""
        variants = tuple(tuple(map(str, phones)) for phones in data.get("variants", ()))
        return cls(str(data["text"]), tuple(map(str, data["phones"])), str(data["source"]), variants)


@dataclass(frozen=True)
class Tokens:
    """The symbols of an utterance and the words they belong to.

    `symbols` (T,): "^", then for every word its phones and exactly one pause token; the last is one of `. ? !`,
    save where a silence interrupts a sentence.
    `word_index` (T,): the place in `words` of each symbol's word, -1 for "^" and for pause tokens.
    """

    symbols: tuple[str, ...]
    word_index: tuple[int, ...]
    words: tuple[Word, ...]

    def __post_init__(self) -> None:
        if len(self.symbols) != len(self.word_index):
            raise DataError(f"{len(self.symbols)} symbols but {len(self.word_index)} word indices")

    def __len__(self) -> int:
        return len(self.symbols)

    def to_json(self) -> dict[str, Any]:
        """The tokens as plain JSON data."""
        return {
            "symbols": list(self.symbols),
            "word_index": list(self.word_index),
            "words": [word.to_json() for word in self.words],
        }

    @classmethod
    def from_json(cls, data: object) -> Tokens:
        """The inverse of `to_json`; DataError when the data are something else."""
        try:
            words = tuple(Word.from_json(word) for word in data["words"])  # type: ignore[index]
            symbols, word_index = data["symbols"], data["word_index"]  # type: ignore[index]
            return cls(tuple(map(str, symbols)), tuple(map(int, word_index)), words)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("not the JSON of tokens", why=f"{type(error).__name__}: {error}") from None


def lay_out(words: Sequence[Word], pauses: Iterable[str], *, open_end: bool = False) -> Tokens:
    """Tokens of words, each followed by its pause; a last pause that ends no sentence becomes a full stop.

    With `open_end` the sentence goes on behind a silence: the last pause stays, a word boundary alone becomes a comma.
    """
    symbols, index = [START], [-1]
    for i, (word, pause) in enumerate(zip(words, pauses, strict=True)):
        if not word.phones or not is_pause(pause):
            raise DataError(f"word {word.text!r} has no phones or is followed by {pause!r}, which is no pause")
        symbols += [*word.phones, pause]
        index += [i] * len(word.phones) + [-1]
    if words and open_end:
        symbols[-1] = "," if symbols[-1] == WORD_BOUNDARY else symbols[-1]
    elif words and symbols[-1] not in SENTENCE_FINAL:
        symbols[-1] = "."
    return Tokens(tuple(symbols), tuple(index), tuple(words))
