"""Spelling to sound by a small network, for English words that no lexicon lists. Needs numpy alone.

The shipped weights come from the recipe tts/g2p: `egs/cmudict/g2p1/run.sh` trains them, and
`egs/cmudict/g2p1/run.sh --only pack --force --set pack.to=speechkd/text/weights` puts them here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from speechkd.errors import DataError
from speechkd.text.g2p_network import G2pArrays, encode, greedy
from speechkd.text.g2p_weights import LETTERS, SILENT, read_weights
from speechkd.text.symbols import is_vowel

Phones = tuple[str, ...]

SHIPPED = Path(__file__).parent / "weights" / "english_g2p.safetensors"
# No word of the dictionary is longer than 28 letters; what is longer than this is said in pieces.
MAX_LETTERS = 40
_BOUNDARY = 1
_FIRST_LETTER = 2
_BATCH = 64


class G2p:
    """Says words of the letters a-z and apostrophes; one object serves any number of threads."""

    def __init__(self, arrays: G2pArrays, tags: Sequence[str]) -> None:
        self.arrays = arrays
        self.tags = tuple(map(phones_of, tags))

    @classmethod
    def load(cls, path: Path = SHIPPED) -> G2p:
        """The network in a weights file, with the card beside it; ArtifactError when they are damaged or missing."""
        arrays, card = read_weights(path)
        return cls(arrays, card.tags)

    def say(self, words: Sequence[str]) -> list[Phones]:
        """The phones of each word, with one primary stress; none where no vowel comes out.

        DataError for a word with other signs than the letters a-z in lower case and apostrophes.
        """
        pieces = [_pieces(word) for word in words]
        said = iter(self._pieces_said([piece for some in pieces for piece in some]))
        joined = [tuple(phone for _ in some for phone in next(said)) for some in pieces]
        return [one_primary(phones) for phones in joined]

    def _pieces_said(self, pieces: Sequence[str]) -> list[Phones]:
        said: dict[str, Phones] = {}
        ordered = sorted(set(pieces), key=lambda piece: (len(piece), piece))
        for start in range(0, len(ordered), _BATCH):
            batch = ordered[start : start + _BATCH]
            for piece, row in zip(batch, greedy(self.arrays, encode(self.arrays, letter_rows(batch))), strict=True):
                said[piece] = tuple(phone for number in row[: len(piece)] for phone in self.tags[number])
        return [said[piece] for piece in pieces]


@functools.cache
def english_g2p() -> G2p:
    """The shipped network, read at the first call."""
    return G2p.load()


@functools.lru_cache(maxsize=8192)
def say_word(word: str) -> Phones:
    """The phones of one word by the shipped network; see `G2p.say`."""
    return english_g2p().say([word])[0]


def one_primary(phones: Sequence[str]) -> Phones:
    """The phones with exactly one primary stress; empty when there is no vowel to bear it.

    The first of several stays, the others become secondary, as in compounds. Where there is none, it falls on the
    first vowel with secondary stress, else on the first that is not reduced, else on the first.
    """
    vowels = [place for place, phone in enumerate(phones) if is_vowel(phone)]
    if not vowels:
        return ()
    reduced = ("AH0", "ER0", "IH0")
    main = min(vowels, key=lambda place: ("120".index(phones[place][-1]), phones[place] in reduced, place))
    stressed = [phone.replace("1", "2") for phone in phones]
    stressed[main] = phones[main][:-1] + "1"
    return tuple(stressed)


def letter_numbers(word: str) -> list[int]:
    """The numbers of a word's letters between two boundaries; DataError for a sign that has none."""
    numbers = [LETTERS.find(letter) for letter in word]
    if not word or min(numbers) < 0:
        raise DataError(f"{word!r} is no word of letters", why="it may hold a-z in lower case and apostrophes")
    return [_BOUNDARY, *(number + _FIRST_LETTER for number in numbers), _BOUNDARY]


def letter_rows(words: Sequence[str]) -> np.ndarray:
    """The letters of words as one array (words, longest + 2), padded with 0."""
    rows = np.zeros((len(words), max(map(len, words)) + 2), np.int64)
    for row, word in zip(rows, words, strict=True):
        row[: len(word) + 2] = letter_numbers(word)
    return rows


def tag_of(phones: Iterable[str]) -> str:
    """The name of the tag of a letter that says these phones: "K+S", or "-" for none."""
    return "+".join(phones) or SILENT


def phones_of(tag: str) -> Phones:
    """The inverse of `tag_of`."""
    return () if tag == SILENT else tuple(tag.split("+"))


def _pieces(word: str) -> list[str]:
    """The word, or as many pieces of about the same length as it takes."""
    count = max(1, -(-len(word) // MAX_LETTERS))
    size = max(1, -(-len(word) // count))
    return [word[start : start + size] for start in range(0, len(word), size)] or [word]
