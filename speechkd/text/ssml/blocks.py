"""A document as blocks of plain text, with what holds for their parts and what stands between them.

The text of a block is that of the document, so that a sentence is read the same with and without elements in it.
Words whose sound is given (`<phoneme>`, `<say-as>`) stand in it as phonemes in double brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from speechkd.errors import DataError
from speechkd.text.factory import Frontend
from speechkd.text.frontend import EnglishFrontend
from speechkd.text.inline import CLOSE, OPEN, PASSAGE, read_passage
from speechkd.text.lexicon import Phones
from speechkd.text.line import NEUTRAL, Mark, ParagraphEnd, Prosody, Silence
from speechkd.text.normalise import PIECE, STRENGTH
from speechkd.text.ssml.ipa import UnknownSymbol, words_of_ipa
from speechkd.text.ssml.parse import parse
from speechkd.text.ssml.place import Place, shown
from speechkd.text.ssml.say_as import say_as
from speechkd.text.ssml.values import EMPHASIS, STRENGTHS, checked, pitch, rate, seconds, volume
from speechkd.text.tokens import Word

#: Of all breaks of a document together.
LONGEST_SILENCE_S = 600.0
LONGEST_NAME = 200
ALPHABETS = ("ipa", "x-arpabet", "cmu-arpabet", "arpabet")

_BLANK = re.compile(r"\s")
_SENTENCE_BEGIN = re.compile(r"[\"'\u2018\u201c(]*[^\W\d_]")
_SENTENCE_END = re.compile(r"[.!?\u2026][\"'\u2019\u201d)]*\Z")


@dataclass
class Block:
    """Text of one voice in which sentences are looked for, unless it is `whole`: one sentence.

    `spans`: where each prosody begins, rising. `points`: marks and silences and where they stand, rising. `given`: the
    word of each word of phonemes, None where the document gives no more than the phonemes themselves.
    """

    voice: str | None = None
    speaker: str | None = None
    whole: bool = False
    text: str = ""
    spans: list[tuple[int, Prosody]] = field(default_factory=list)
    points: list[tuple[int, Mark | Silence]] = field(default_factory=list)
    given: list[Word | None] = field(default_factory=list)


def blocks_of(document: str, frontend: Frontend) -> list[Block | ParagraphEnd]:
    """The blocks of a document and where its paragraphs end; DataError tells line and column of the first mistake."""
    builder = _Builder(frontend)
    parse(document, builder)
    return builder.blocks


@dataclass(frozen=True)
class _Open:
    """An element that has begun, and what holds inside it."""

    name: str
    place: Place
    attributes: Mapping[str, str]
    prosody: Prosody = NEUTRAL
    voice: str | None = None
    speaker: str | None = None
    whole: bool = False


class _Builder:
    """Takes what the parser tells."""

    def __init__(self, frontend: Frontend) -> None:
        self.blocks: list[Block | ParagraphEnd] = []
        self._english = frontend if isinstance(frontend, EnglishFrontend) else None
        self._language = "en" if self._english else str(getattr(frontend, "language", ""))
        self._open: list[_Open] = [_Open("", Place(1, 1), {})]
        self._texts: list[str] = []
        self._length = 0
        self._block = Block()
        self._run: list[tuple[str, Place]] = []
        self._silence_s = 0.0

    def start(self, name: str, attributes: Mapping[str, str], place: Place) -> None:
        """An element begins: what it changes holds from here."""
        self._end_run()
        self._check_language(attributes.get("xml:lang"), place)
        self._open.append(self._inside(name, attributes, place))
        if name in ("p", "s", "voice"):
            self._end_block(paragraph=name == "p")
        elif name == "break":
            self._point(self._silence(attributes, place))
        elif name == "mark":
            self._point(Mark(_name(attributes["name"], "name", place)))

    def text(self, text: str, place: Place) -> None:
        """Text, of which several parts may follow each other."""
        self._run.append((text, place))

    def end(self, name: str, place: Place) -> None:
        """An element ends."""
        element = self._open[-1]
        if name in ("say-as", "sub", "phoneme"):
            self._replace(element, "".join(text for text, _ in self._run))
        else:
            self._end_run()
        self._open.pop()
        if name in ("p", "s", "voice", "speak"):
            self._end_block(paragraph=name == "p")

    def _inside(self, name: str, attributes: Mapping[str, str], place: Place) -> _Open:
        outer = self._open[-1]
        prosody, voice, speaker = outer.prosody, outer.voice, outer.speaker
        if name == "prosody":
            prosody = checked(prosody * _prosody(attributes, place), place)
        elif name == "emphasis":
            level = attributes.get("level", "moderate")
            if level not in EMPHASIS:
                raise place.unknown("level", level, EMPHASIS)
            prosody = checked(prosody * EMPHASIS[level], place)
        elif name == "voice":
            # The speaker outside is none of another voice.
            voice, speaker = (
                (_name(attributes["name"], "name", place), None) if "name" in attributes else (voice, speaker)
            )
            speaker = _name(attributes["speaker"], "speaker", place) if "speaker" in attributes else speaker
        return _Open(name, place, attributes, prosody, voice, speaker, whole=outer.whole or name == "s")

    def _end_run(self) -> None:
        """The text since the last tag becomes part of the block."""
        text = "".join(text for text, _ in self._run)
        if text:
            self._add_text(text, self._place_in_run)
        self._run = []

    def _add_text(self, text: str, place_of: Callable[[int], Place]) -> None:
        """Put text of the document behind that of the block; `place_of` tells where each of its characters stands."""
        if self._english and OPEN in text:
            self._check_phonemes(text, place_of)
        self._add(_BLANK.sub(" ", text))

    def _check_phonemes(self, text: str, place_of: Callable[[int], Place]) -> None:
        """Phonemes in double brackets that are wrong are told with their place in the document."""
        for match in PASSAGE.finditer(text):
            try:
                self._block.given += [None] * len(read_passage(match[1], text, match.start(1)))
            except DataError as error:
                raise place_of(match.start()).error(error.what, todo=error.todo) from None
        without = PASSAGE.sub(lambda match: " " * len(match[0]), text)
        if OPEN in without:
            raise place_of(without.index(OPEN)).error(
                f"phonemes begin with {OPEN} and do not end", todo=f"Close them with {CLOSE} before the next tag"
            )

    def _place_in_run(self, offset: int) -> Place:
        for text, place in self._run:
            if offset < len(text):
                return Place(place.line, place.column + offset)
            offset -= len(text)
        raise IndexError(offset)

    def _add(self, text: str) -> None:
        """Put text behind that of the block, with the prosody of the innermost element."""
        block, prosody = self._block, self._open[-1].prosody
        if self._texts and _SENTENCE_BEGIN.match(text) and _SENTENCE_END.search(self._texts[-1][-8:]):
            text = " " + text  # "…<emphasis>One.</emphasis><emphasis>Two.</emphasis>…"
        if (block.spans[-1][1] if block.spans else NEUTRAL) != prosody:
            block.spans.append((self._length, prosody))
        self._texts.append(text)
        self._length += len(text)

    def _point(self, point: Mark | Silence) -> None:
        self._block.points.append((self._length, point))
        self._add(" ")

    def _replace(self, element: _Open, content: str) -> None:
        """What stands for the content of `<sub>`, `<say-as>` and `<phoneme>`."""
        attributes, place = element.attributes, element.place
        self._run = []
        if element.name == "sub":
            self._add_text(_name(attributes["alias"], "alias", place, longest=None), lambda _: place)
            return
        if self._english is None:
            raise place.error(f"<{element.name}> is for English", why=f"the voice speaks {self._language or 'another'}")
        if element.name == "phoneme":
            self._add_words(_phoneme_words(attributes, content, place))
        else:
            self._say(say_as(attributes["interpret-as"], content, attributes.get("format"), place), self._english)

    def _say(self, spoken: str, english: EnglishFrontend) -> None:
        """Words of normalised English with their marks, which nothing changes any more."""
        words = iter(english.spoken_tokens(spoken).words)
        for piece in PIECE.findall(spoken):
            if piece in STRENGTH:
                self._add(piece)
            else:
                self._add_words([next(words)])

    def _add_words(self, words: Sequence[Word]) -> None:
        for word in words:
            self._add(f" {OPEN}{' '.join(word.phones)}{CLOSE} ")
            self._block.given.append(word)

    def _silence(self, attributes: Mapping[str, str], place: Place) -> Silence:
        strength = attributes.get("strength", "medium")
        if strength not in STRENGTHS:
            raise place.unknown("strength", strength, STRENGTHS)
        exact = "time" in attributes
        duration_s = seconds(attributes["time"], place) if exact else STRENGTHS[strength]
        self._silence_s += duration_s
        if self._silence_s > LONGEST_SILENCE_S:
            raise place.error(f"all breaks together are longer than {LONGEST_SILENCE_S:g} s", todo="Leave some out")
        return Silence(duration_s, exact)

    def _check_language(self, language: str | None, place: Place) -> None:
        if language is None:
            return
        if language.lower().split("-")[0] != self._language.split("-")[0]:
            raise place.error(
                f"the language {shown(language)} cannot be spoken here",
                why=f"the voice speaks {self._language}" if self._language else None,
                todo="Leave xml:lang out, or take a voice of that language",
            )

    def _end_block(self, paragraph: bool) -> None:
        """Begin a new block; the old one stays when anything is in it."""
        self._block.text = "".join(self._texts)
        if self._block.text.strip() or self._block.points:
            self.blocks.append(self._block)
        if paragraph:
            self.blocks.append(ParagraphEnd())
        inside = self._open[-1]
        self._block = Block(inside.voice, inside.speaker, inside.whole)
        self._texts, self._length = [], 0


def _prosody(attributes: Mapping[str, str], place: Place) -> Prosody:
    if "rate" in attributes and "speed" in attributes:
        raise place.error("<prosody> has both rate and speed", why="they are the same", todo="Leave one out")
    factor = 1.0
    for name in ("rate", "speed"):
        factor = rate(attributes[name], place, name) if name in attributes else factor
    return Prosody(
        factor,
        pitch(attributes["pitch"], place) if "pitch" in attributes else 0.0,
        volume(attributes["volume"], place) if "volume" in attributes else 1.0,
    )


def _name(text: str, attribute: str, place: Place, longest: int | None = LONGEST_NAME) -> str:
    name = text.strip()
    if not name:
        raise place.error(f"{attribute} is empty")
    if longest and len(name) > longest:
        raise place.error(f"{attribute} has {len(name)} characters", todo=f"Take at most {longest}")
    return name


def _phoneme_words(attributes: Mapping[str, str], content: str, place: Place) -> list[Word]:
    """The words of a `<phoneme>`, called by its content where that has as many words, or all of it one."""
    alphabet = attributes.get("alphabet", "ipa")
    if alphabet not in ALPHABETS:
        raise place.unknown("alphabet", alphabet, ALPHABETS)
    phones = _phones(alphabet, attributes["ph"], place)
    if not phones:
        raise place.error("ph has no phones", todo='Write ph="həˈloʊ", or alphabet="x-arpabet" ph="HH AH0 L OW1"')
    written = content.split()
    if len(phones) == 1 and written:
        written = ["_".join(written)]
    names = written if len(written) == len(phones) else ["_".join(each) for each in phones]
    return [Word(name, each, "inline") for name, each in zip(names, phones, strict=True)]


def _phones(alphabet: str, text: str, place: Place) -> list[Phones]:
    if alphabet != "ipa":
        try:
            return read_passage(text, text, 0) if text.strip() else []
        except DataError as error:
            raise place.error(f"ph: {error.what}", why=error.where, todo=error.todo) from None
    try:
        return words_of_ipa(text)
    except UnknownSymbol as unknown:
        raise place.error(
            f"ph: unknown IPA symbol {unknown.symbol!r}",
            why=f"it is number {unknown.place + 1} of {shown(text)}",
            todo='Use the symbols of American English, or alphabet="x-arpabet"',
        ) from None
