"""From written English to tokens: normalise, find the words, pronounce them, lay them out with their pauses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from speechkd.errors import NothingToSpeak
from speechkd.text.homographs import by_context
from speechkd.text.inline import OPEN, inline_word
from speechkd.text.normalise import PIECE, STRENGTH, Normalised, normalise_english
from speechkd.text.pronounce import Pronouncer
from speechkd.text.symbols import WORD_BOUNDARY
from speechkd.text.tokens import Tokens, Word, lay_out


class EnglishFrontend:
    """American English text to `Tokens`.

    Words of the user lexicon come first, then the CMU dictionary, then the fallbacks of `Pronouncer`; of words that
    are written alike the reading that fits the words around is taken. Phonemes in the text, as in
    "say [[T AH0 M AA1 T OW2]]", are said as they stand.
    `day_first` reads 03/04/2026 as the third of April; the default is March fourth.
    """

    def __init__(
        self, user_lexicon: Mapping[str, Sequence[str]] | Path | None = None, *, day_first: bool = False
    ) -> None:
        self.pronouncer = Pronouncer(user_lexicon)
        self.day_first = day_first

    def normalise(self, text: str) -> str:
        """The text as it is spoken, in words; see `normalised` for what had to be left out."""
        return self.normalised(text).text

    def normalised(self, text: str) -> Normalised:
        """The text as it is spoken, with the characters that cannot be; DataError when nothing can be spoken."""
        return normalise_english(text, is_word=self.pronouncer.knows, day_first=self.day_first)

    def tokens(self, text: str) -> Tokens:
        """The tokens of a text of any length; DataError when it has nothing to speak."""
        return self.spoken_tokens(self.normalise(text))

    def spoken_tokens(self, spoken: str) -> Tokens:
        """The tokens of a text that is already normalised: words in lower case, UPPER case for spelled letters."""
        words: list[Word] = []
        pauses: list[str] = []
        pieces = PIECE.findall(spoken)
        for place, piece in enumerate(pieces):
            if piece not in STRENGTH:
                words.append(self._word(pieces, place))
                pauses.append(WORD_BOUNDARY)
            elif words and STRENGTH[piece] > STRENGTH[pauses[-1]]:
                pauses[-1] = piece
        if not words:
            raise NothingToSpeak("the text has nothing that can be spoken", why="no word is left after normalising")
        return lay_out(words, pauses)

    def _word(self, pieces: list[str], place: int) -> Word:
        if pieces[place].startswith(OPEN):
            return inline_word(pieces[place])
        return by_context(self.pronouncer.word(pieces[place]), pieces, place)
