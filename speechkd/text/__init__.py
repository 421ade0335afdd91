"""Text: normalising, lexicon, letter-to-sound, symbols and sentence splitting. Needs no torch."""

from speechkd.text.espeak_frontend import EspeakFrontend
from speechkd.text.factory import Frontend, is_english, make_frontend, symbols_for
from speechkd.text.frontend import EnglishFrontend
from speechkd.text.lexicon import CmuLexicon, UserLexicon, cmu_lexicon, read_lexicon, user_lexicon
from speechkd.text.normalise import Normalised, normalise_english
from speechkd.text.sentences import split_sentences
from speechkd.text.symbols import ENGLISH_SYMBOLS, PHONES, SymbolTable, is_pause, is_phone, is_vowel
from speechkd.text.tokens import Tokens, Word

__all__ = [
    "ENGLISH_SYMBOLS",
    "PHONES",
    "CmuLexicon",
    "EnglishFrontend",
    "EspeakFrontend",
    "Frontend",
    "Normalised",
    "SymbolTable",
    "Tokens",
    "UserLexicon",
    "Word",
    "cmu_lexicon",
    "is_english",
    "is_pause",
    "is_phone",
    "is_vowel",
    "make_frontend",
    "normalise_english",
    "read_lexicon",
    "split_sentences",
    "symbols_for",
    "user_lexicon",
]
