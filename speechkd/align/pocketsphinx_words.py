"""Where the words of a known text are, and which of their pronunciations was said: pocketsphinx's own search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from speechkd.align.matching import without_stress
from speechkd.align.types import Interval
from speechkd.errors import missing_extra

SAMPLE_RATE = 16000
FRAME_S = 0.01

# A word's other pronunciations are named "word(2)", "word(3)" and so on, as in every CMU dictionary.
_Choices = Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class FoundWord:
    """A word in the decoder's own time; `choice` is the place of its `pronunciation` (no stress) among those given.

    `phones` hold the decoder's own phones where they were asked for.
    """

    start_s: float
    end_s: float
    choice: int
    pronunciation: tuple[str, ...]
    phones: tuple[Interval, ...] = ()


class WordFinder:
    """Finds the words of one utterance at a time, with beams of one width."""

    def __init__(self, beam: float, wbeam: float, pbeam: float) -> None:
        self._beams = (beam, wbeam, pbeam)

    def find(self, words: Sequence[_Choices], pcm: bytes, with_phones: bool) -> list[FoundWord]:
        """One found word for each of `words`, which are pronunciations to choose from.

        pcm: 16-bit little-endian samples at 16 kHz. Raises LookupError when no path fits, ValueError for a phone that
        the model lacks; both say why.
        """
        # A decoder remembers what it heard: after other recordings it now and then chooses another variant, and the
        # same recording would be aligned in another way by another worker. So each utterance gets a new one.
        return _Search(_decoder(*self._beams)).find(words, pcm, with_phones)


class _Search:
    """One new decoder and the pronunciations that were added to it."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._names: dict[tuple[tuple[str, ...], ...], str] = {}
        self._spoken: dict[str, tuple[int, tuple[str, ...]]] = {}

    def find(self, words: Sequence[_Choices], pcm: bytes, with_phones: bool) -> list[FoundWord]:
        names = [self._name(choices) for choices in words]
        try:
            self._decoder.set_align_text(" ".join(names))
            self._decode(pcm)
            if self._decoder.hyp() is None:
                raise LookupError("no path through the recording fits the text")
            found = [self._word(segment) for segment in self._decoder.seg() if segment.word in self._spoken]
            if with_phones:
                found = self._phones(pcm)
        except RuntimeError as error:
            raise LookupError(str(error)) from error
        if len(found) != len(words):
            raise LookupError(f"{len(found)} of {len(words)} words were found")
        return found

    def _name(self, choices: _Choices) -> str:
        """The private name of a word with these pronunciations, added to the decoder's dictionary at first use."""
        bare = tuple(tuple(map(without_stress, phones)) for phones in choices)
        if bare not in self._names:
            name = f"w{len(self._names):06d}"
            for number, phones in enumerate(bare):
                self._add(name if number == 0 else f"{name}({number + 1})", number, phones)
            self._names[bare] = name
        return self._names[bare]

    def _add(self, name: str, number: int, phones: tuple[str, ...]) -> None:
        try:
            self._decoder.add_word(name, " ".join(phones), True)
        except RuntimeError as error:
            raise ValueError(f"phones {' '.join(phones)!r} are not in its model") from error
        self._spoken[name] = (number, phones)

    def _decode(self, pcm: bytes) -> None:
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(pcm, full_utt=True)
        finally:
            self._decoder.end_utt()

    def _word(self, segment: Any) -> FoundWord:
        choice, phones = self._spoken[segment.word]
        return FoundWord(segment.start_frame * FRAME_S, (segment.end_frame + 1) * FRAME_S, choice, phones)

    def _phones(self, pcm: bytes) -> list[FoundWord]:
        """A second pass through the words of the first, for the phones within them."""
        self._decoder.set_alignment()
        self._decode(pcm)
        words = self._decoder.get_alignment()
        if words is None:
            raise LookupError("the phones do not fit the words found")
        return [_with_phones(word, *self._spoken[word.name]) for word in words.words() if word.name in self._spoken]


def _with_phones(word: Any, choice: int, pronunciation: tuple[str, ...]) -> FoundWord:
    phones = tuple(
        Interval(phone.start * FRAME_S, (phone.start + phone.duration) * FRAME_S, phone.name) for phone in word
    )
    return FoundWord(phones[0].start_s, phones[-1].end_s, choice, pronunciation, phones)


def _decoder(beam: float, wbeam: float, pbeam: float) -> Any:
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise missing_extra("pocketsphinx", "train", "Alignment") from error
    # No dictionary: every word brings its own pronunciations, and loading one would take most of the time.
    return Decoder(
        samprate=SAMPLE_RATE, lm=None, dict=None, bestpath=False, loglevel="FATAL", beam=beam, wbeam=wbeam, pbeam=pbeam
    )
