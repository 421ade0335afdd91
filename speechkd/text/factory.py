"""The front end of a language: speechkd's own for American English, espeak-ng's for all others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from speechkd.errors import ConfigError, DataError
from speechkd.text.espeak_frontend import EspeakFrontend
from speechkd.text.frontend import EnglishFrontend
from speechkd.text.symbols import ENGLISH_SYMBOLS, PAD, PAUSES_BY_STRENGTH, START, SymbolTable, is_pause
from speechkd.text.tokens import Tokens

ENGLISH = ("en-us", "en")


class Frontend(Protocol):
    """Anything that makes tokens of text."""

    def normalise(self, text: str) -> str:
        """The text as it is spoken, as far as the front end tells it."""
        ...

    def tokens(self, text: str) -> Tokens:
        """The tokens of a text; DataError when it has nothing to speak."""
        ...


def is_english(language: str) -> bool:
    """Whether speechkd's own front end reads the language."""
    return language.lower() in ENGLISH


def make_frontend(language: str = "en-us", lexicon: Path | None = None, *, day_first: bool = False) -> Frontend:
    """The front end of a language: "en-us" needs no extra; others ("de", "fr", "es") are espeak-ng's names.

    ConfigError when a lexicon is given for a language that takes none.
    """
    if is_english(language):
        return EnglishFrontend(lexicon, day_first=day_first)
    if lexicon is not None:
        raise ConfigError(
            f"the language {language!r} takes no lexicon", where=str(lexicon), why="espeak-ng pronounces its words"
        )
    return EspeakFrontend(language)


def symbols_for(language: str, utterances: Iterable[Tokens]) -> SymbolTable:
    """The symbol table of a corpus: the fixed one for English, else padding, opening, pauses and its phones, sorted."""
    if is_english(language):
        return ENGLISH_SYMBOLS
    phones = {symbol for tokens in utterances for symbol in tokens.symbols if symbol != START and not is_pause(symbol)}
    if PAD in phones:
        raise DataError(f"a phone is written {PAD!r}, which stands for padding")
    return SymbolTable((PAD, START, *PAUSES_BY_STRENGTH, *sorted(phones)))
